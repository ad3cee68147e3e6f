"""OpenAI's chats, completions and embeddings as JSON that no SDK has parsed: for transports that read the bytes of an answer.

The rules are those of `openai_chat` and `openai_completions`; here objects are dictionaries, and an error may be an event of a stream.
"""

from __future__ import annotations

from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.shapes.openai_chat import ChatChunks, read_any_chat
from tokentrail.integrations.shapes.openai_completions import add_any_counts, read_any_embeddings, read_completion

__all__ = ["ChatEvents", "read_chat_json", "read_completion_json", "read_embeddings_json"]


def add_counts_json(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object. The usual one, with OpenAI's fields, is read without a function call; any other by `add_any_counts`."""
    given: Any
    made: Any
    try:
        given = usage["prompt_tokens_details"] if "prompt_tokens_details" in usage else None
        made = usage["completion_tokens_details"] if "completion_tokens_details" in usage else None
        is_usual = type(given) is dict and (type(made) is dict or made is None)
        answer.input_tokens = usage["prompt_tokens"]
        answer.output_tokens = usage["completion_tokens"]
    except (KeyError, TypeError):
        is_usual = False
    if not is_usual:
        add_any_counts(answer, usage)
        return
    answer.cache_read_tokens = given["cached_tokens"] if "cached_tokens" in given else None
    answer.cache_write_tokens = given["cache_write_tokens"] if "cache_write_tokens" in given else None
    answer.audio_input_tokens = given["audio_tokens"] if "audio_tokens" in given else None
    answer.image_input_tokens = given["image_tokens"] if "image_tokens" in given else None
    if made:
        answer.reasoning_tokens = made["reasoning_tokens"] if "reasoning_tokens" in made else None
        answer.audio_output_tokens = made["audio_tokens"] if "audio_tokens" in made else None
        answer.image_output_tokens = made["image_tokens"] if "image_tokens" in made else None


def read_chat_json(body: Any) -> Reading:
    """Reads a chat completion. The usual one, with one choice that is a text, costs few calls; any other is read by `read_any_chat`."""
    try:
        (choice,) = body["choices"]
        message, usage, reason = choice["message"], body["usage"], choice["finish_reason"]
        text = message["content"]
        is_usual = (
            type(text) is str
            and text
            and type(usage) is dict
            and not (
                ("tool_calls" in message and message["tool_calls"])
                or ("refusal" in message and message["refusal"])
                or ("reasoning" in message and message["reasoning"])
                or ("reasoning_content" in message and message["reasoning_content"])
            )
        )
        if is_usual:
            answer = Answer(body["model"] or "", body["id"] or "", [reason] if reason else [], output_texts=[text])
            add_counts_json(answer, usage)
            return answer, "complete"
    except (KeyError, TypeError, ValueError):
        pass
    return read_any_chat(Body(body))


def read_completion_json(body: Any) -> Reading:
    """Reads a text completion."""
    return read_completion(Body(body))


def read_embeddings_json(body: Any) -> Reading:
    """Reads embeddings, or the answer of a rerank: where a usage states only the total, the total is the input."""
    return read_any_embeddings(Body(body))


BESIDE_CONTENT: Final = ("refusal", "reasoning_content", "reasoning")


class ChatEvents(ChatChunks):
    """Collects the events of a stream of chat completions."""

    __slots__ = ()

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk's texts and usage. The usual chunk, a piece of one text and nothing else, costs no further call.

        The text is content, a thought, or the arguments of a tool call.
        """
        try:
            (choice,) = chunk["choices"]
            delta = choice["delta"]
            text = delta["content"] if "content" in delta else ""
            if not text:
                for name in BESIDE_CONTENT:
                    if name in delta and delta[name]:
                        text = delta[name] if not text else None
                if "tool_calls" in delta and delta["tool_calls"]:
                    (tool_call,) = delta["tool_calls"]
                    text = tool_call["function"]["arguments"] if not text else None
            if (
                type(text) is str
                and text
                and self.answer.model
                and self.answer.response_id
                and ("finish_reason" not in choice or choice["finish_reason"] is None)
                and "error" not in chunk
                and ("usage" not in chunk or chunk["usage"] is None)
            ):
                self.texts += (text,)
                return False
        except (KeyError, TypeError, ValueError):
            pass
        return self.absorb_careful(chunk)

    def absorb_careful(self, chunk: dict[str, Any]) -> bool:
        """Takes any chunk; see `absorb`."""
        self.failed = self.failed or bool(chunk.get("error"))
        return ChatChunks.absorb(self, Body(chunk))
