"""OpenAI's chat completions, and compatible APIs of other providers: reads requests, answers, chunks.

Answers are read by attribute: the SDK's models, or `Body` for JSON that the SDK did not parse. A field that a provider leaves out is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, fields_of, items_of
from tokentrail.integrations.shapes.known_text import chat_is_text_only
from tokentrail.integrations.shapes.openai_completions import (
    USAGE,
    CompletionChunks,
    add_counts,
    answer_with_counts,
    later_usage,
    remove_usage,
    usage_in,
)

__all__ = ["ChatChunks", "read_any_chat", "read_chat", "texts_of_chat", "texts_of_message", "texts_of_parts"]


def texts_of_chat(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of chat messages, in order: contents, and the text parts of contents. Tool definitions and calls are no texts."""
    texts: list[str] = []
    for message in body.get("messages") or ():
        content = (message["content"] if "content" in message else None) if type(message) is dict else getattr(message, "content", None)
        if type(content) is str:
            texts += (content,)
        elif content:
            texts += texts_of_parts(content)
    return texts


def texts_of_parts(parts: Iterable[Any]) -> list[str]:
    """Returns the texts among the parts of a content."""
    if isinstance(parts, (dict, bytes)):
        return []
    return [
        part if isinstance(part, str) else part["text"]
        for part in parts
        if isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))
    ]


def read_chat(completion: Any) -> Reading:
    """Reads a chat completion.

    The usual completion, an SDK's model with one choice that is a text, is read by attribute; any other by `read_any_chat`.
    """
    try:
        choices, usage, model, name = completion.choices, completion.usage, completion.model, completion.id
        (choice,) = choices
        message = choice.__dict__["message"]  # `Body` has an empty `__dict__`
        said, reason = message.__dict__, choice.__dict__["finish_reason"]
        text = said["content"]
        is_usual = (
            type(choices) is list
            and usage is not None
            and type(text) is str
            and text
            and not (said["refusal"] or said["tool_calls"] or "reasoning" in said or "reasoning_content" in said)
            and not (choice.__pydantic_extra__ or message.__pydantic_extra__)
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        is_usual = False
    if not is_usual:
        return read_any_chat(completion)
    answer = Answer(model=model or "", response_id=name or "", finish_reasons=[reason] if reason else [], output_texts=[text])
    add_counts(answer, usage)
    return answer, "complete"


def read_any_chat(completion: Any) -> Reading:
    """Reads any chat completion; see `read_chat`."""
    answer = answer_with_counts(completion)
    texts: list[str] = []
    reasons: list[str] = []
    for choice in items_of(getattr(completion, "choices", None)):
        fields = fields_of(choice)
        texts += texts_of_message(fields.get("message"))
        if reason := fields.get("finish_reason"):
            reasons += (reason,)
    answer.output_texts = texts
    answer.finish_reasons = reasons
    return answer, "complete"


def texts_of_message(message: Any) -> list[str]:
    """Returns the model's output in a message or a delta: content, refusal, reasoning, the arguments of tool calls."""
    fields = fields_of(message)
    texts = [text for name in _TEXTS if name in fields and (text := fields[name]) and isinstance(text, str)]
    if tool_calls := fields.get("tool_calls"):
        for tool_call in items_of(tool_calls):
            called = fields_of(tool_call)
            inside = fields_of(called.get("function") or called.get("custom"))
            text = inside.get("arguments") or inside.get("input")
            if text and isinstance(text, str):
                texts.append(text)
    return texts


_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def _only_text_of(delta: Any) -> str:
    """Returns the one text of an SDK's delta (a thought, the arguments of a tool call, …); "" where the delta has none, or several.

    Servers add fields that the SDK does not declare.
    """
    try:
        said: dict[str, Any] = delta.__dict__
        more: dict[str, Any] = delta.__pydantic_extra__ or {}
        text: Any = ""
        for name in _TEXTS:
            found = said[name] if name in said else more[name] if name in more else None
            if found and text:
                return ""
            text = found or text
        if said["tool_calls"]:
            (tool_call,) = said["tool_calls"]
            text = tool_call.function.arguments if not text else ""
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""
    return text if type(text) is str else ""


def _usual_text_in(chunk: Any) -> str:
    """Returns the one text of a chunk that was read from JSON; "" where the chunk has more than that: a reason, a usage, an error."""
    try:
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        text: Any = ""
        for name in _TEXTS:
            if name in delta and delta[name]:
                if text:
                    return ""
                text = delta[name]
        if "tool_calls" in delta and delta["tool_calls"]:
            (tool_call,) = delta["tool_calls"]
            text = tool_call["function"]["arguments"] if not text else ""
        if choice["finish_reason"] or "error" in chunk or ("usage" in chunk and chunk["usage"] is not None):
            return ""
    except (KeyError, TypeError, ValueError):
        return ""
    return text if type(text) is str else ""


def _is_empty(delta: Any) -> bool:
    """Whether a delta without text is empty: no tool call, no audio, no image, no unknown field."""
    return not any(value for name, value in fields_of(delta).items() if name not in _NO_CONTENT)


_NO_CONTENT = frozenset({"role", "content", "refusal", "name"})


class ChatChunks(CompletionChunks):
    """Collects a stream of chat completions."""

    __slots__ = ()

    def absorb(self, chunk: Any) -> bool:  # noqa: C901, PLR0912 - each step in a function of its own would cost a call for each chunk
        """Takes a chunk's texts and usage. The usual chunk (one choice with some content) costs no further call, one of JSON a single one."""
        if (
            type(chunk) in JSON_OBJECTS
            and (said := _usual_text_in(chunk))
            and self.answer.model
            and self.answer.response_id
            and not (self.asked and self.removes_null)
        ):
            self.texts += (said,)
            return False
        try:
            choices, usage = chunk.choices, chunk.usage
            texts: list[str] = []
            reasons: list[str] = []
            textless: list[Any] = []
            for choice in choices:
                delta = choice.delta
                text = delta.content
                if text and type(text) is str:
                    texts += (text,)
                elif only := _only_text_of(delta):
                    texts += (only,)
                else:
                    texts += texts_of_message(delta)
                    textless += (delta,)
                if choice.finish_reason:
                    reasons += (choice.finish_reason,)
                    usage = usage if usage is not None else usage_in(chunk)
            if not (self.answer.model and self.answer.response_id):
                self._name(chunk)
            self.failed = self.failed or bool(reasons and getattr(chunk, "error", None))
            if not choices and usage is None:
                return self.absorb_any(chunk)  # an error, or the results of a content filter
        except (AttributeError, TypeError):
            return self.absorb_any(chunk)  # additions of a gateway
        self.texts += texts
        self.reasons += reasons
        if not self.texts:
            self.textless += textless
        if usage is not None:
            self.usage = usage if self.usage is None else later_usage(self.usage, usage)
            return self.asked and not choices
        if self.asked and self.removes_null:
            try:
                stated = chunk.__pydantic_fields_set__
                stated -= USAGE  # as `remove_usage`, without a function call
            except (AttributeError, TypeError):
                remove_usage(chunk)
        return False

    def _take(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta")
        content = fields_of(delta).get("content")
        if content and type(content) is str:
            self.texts += (content,)  # no provider sends another text beside a piece of the content
        else:
            self.texts += texts_of_message(delta)
            self.textless += (delta,)
        if reason := choice.get("finish_reason"):
            self.reasons += (reason,)

    def _is_known_empty(self) -> bool:
        return chat_is_text_only(self.body) and all(map(_is_empty, self.textless))
