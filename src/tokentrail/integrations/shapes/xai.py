"""xAI's API over gRPC: reads requests, answers and chunks, which are protobuf messages, by attribute.

`completion_tokens` leaves out `reasoning_tokens` where `total_tokens` has both (docs.x.ai, "Reasoning": 32 + 9 + 94 = 135); the total decides. Parts
of `prompt_tokens` are `cached_prompt_text_tokens` and `prompt_image_tokens`. A number that is not sent reads as 0 in protobuf, so a usage without any
prompt, completion and total states nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import whole

__all__ = ["XaiChunks", "read_answer", "texts_of_messages", "texts_of_prompt"]


def texts_of_messages(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of messages, in order."""
    return [content.text for message in body["messages"] for content in message.content if content.text]


def texts_of_prompt(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the text that asks for an image or a video."""
    return [body["prompt"]]


def read_answer(answer: Any) -> Reading:
    """Reads a completion; a compaction, images or a video, which have no text that could be read; or None: a message that gRPC could not read."""
    outputs = _outputs_of(answer)
    found = Answer(model=getattr(answer, "model", ""), response_id=getattr(answer, "id", ""))
    found.output_texts = [text for output in outputs for text in _texts_of(output.message)]
    found.finish_reasons = _reasons_of(outputs)
    if hasattr(answer, "usage"):
        _add_counts(found, answer.usage)
    return found, "complete"


def _outputs_of(message: Any) -> Sequence[Any]:
    """Returns the outputs, which versions before 1.3 call choices; other answers have none."""
    return list(getattr(message, "outputs", getattr(message, "choices", ())))


def _texts_of(message: Any) -> list[str]:
    """Returns the model's output in a message or a delta: reasoning, content, the arguments of tool calls."""
    calls = [call.function.arguments for call in message.tool_calls]
    return [text for text in (message.reasoning_content, message.content, *calls) if text]


def _reasons_of(outputs: Iterable[Any]) -> list[str]:
    """Returns the reasons by name, as the SDK shows them: REASON_STOP."""
    return [
        name.name
        for output in outputs
        if output.finish_reason
        and (name := output.DESCRIPTOR.fields_by_name["finish_reason"].enum_type.values_by_number.get(output.finish_reason)) is not None
    ]


def _add_counts(answer: Answer, usage: Any) -> None:
    stated = (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens, usage.total_tokens)
    prompt, completion, reasoning, total = map(whole, stated)  # protobuf's numbers may be negative
    if not (prompt or completion or total):
        return
    answer.input_tokens, answer.reasoning_tokens = prompt, reasoning
    is_whole = prompt is not None and completion is not None and total == prompt + completion
    answer.output_tokens = completion if completion is None or is_whole else completion + (reasoning or 0)
    answer.cache_read_tokens = usage.cached_prompt_text_tokens
    answer.image_input_tokens = usage.prompt_image_tokens


class XaiChunks:
    """Collects a stream's chunks, which are read at the end; the last stated usage counts."""

    __slots__ = ("chunks",)

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.chunks: list[Any] = []

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk."""
        self.chunks += (chunk,)
        return False

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far: complete with two of a finish reason, a usage, and the stream's end."""
        answer = Answer()
        texts: tuple[str, ...] = ()
        reasons: tuple[Any, ...] = ()
        outputs_of = attrgetter("outputs" if self.chunks and hasattr(self.chunks[0], "outputs") else "choices")
        for chunk in self.chunks:  # without further calls for a chunk
            answer.model, answer.response_id = chunk.model or answer.model, chunk.id or answer.response_id
            for output in outputs_of(chunk):
                delta = output.delta
                if delta.reasoning_content:
                    texts += (delta.reasoning_content,)
                if delta.content:
                    texts += (delta.content,)
                for call in delta.tool_calls:
                    texts += (call.function.arguments,)
                if output.finish_reason:
                    reasons += (output,)
            usage = chunk.usage
            if usage.prompt_tokens or usage.completion_tokens or usage.total_tokens:
                _add_counts(answer, usage)
        answer.output_texts, answer.finish_reasons = texts, _reasons_of(reasons)
        signs = bool(answer.finish_reasons) + (answer.output_tokens is not None) + exhausted
        return answer, "complete" if signs > 1 else "partial"
