"""xAI's messages over gRPC, as JSON (`google.protobuf.json_format`): reads answers and chunks, with the names of fields in either form.

A number that is 0 is left out of this JSON, so a number that is missing beside a prompt, completion or total is 0, as the SDK shows it (see `xai`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, whole

__all__ = ["JsonChunks", "read_json_answer", "texts_of_json_messages"]


def _field(message: Mapping[str, Any], name: str) -> Any:
    """Returns a field, whose name may be in camel case."""
    head, *others = name.split("_")
    return message[name] if name in message else message.get(head + "".join(map(str.capitalize, others)))


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    stated = _field(usage, name)
    return 0 if stated is None else whole(stated)


def texts_of_json_messages(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of messages, in order."""
    contents = [fields_of(content) for message in items_of(body.get("messages")) for content in items_of(fields_of(message).get("content"))]
    return [text for content in contents if isinstance(text := content.get("text"), str) and text]


class JsonChunks:
    """Collects a stream's chunks; the last stated usage counts."""

    __slots__ = ("answer", "reasons", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.reasons: list[str] = []
        self.texts: list[str] = []

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk, or a whole answer."""
        fields = fields_of(chunk)
        self.answer.model = fields.get("model") or self.answer.model
        self.answer.response_id = fields.get("id") or self.answer.response_id
        for output in map(fields_of, items_of(fields.get("outputs") or fields.get("choices"))):
            self._take(fields_of(output.get("delta") or output.get("message")))
            if isinstance(reason := _field(output, "finish_reason"), str) and reason != "REASON_INVALID":
                self.reasons += (reason,)
        if "object" not in fields:  # that of the REST API, which is OpenAI's
            self._add_counts(fields_of(fields.get("usage")))
        return False

    def _take(self, message: Mapping[str, Any]) -> None:
        calls = [fields_of(fields_of(call).get("function")).get("arguments") for call in items_of(_field(message, "tool_calls"))]
        found = (_field(message, "reasoning_content"), message.get("content"), *calls)
        self.texts += [text for text in found if isinstance(text, str) and text]

    def _add_counts(self, usage: Mapping[str, Any]) -> None:
        names = ("prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens")
        prompt, completion, total, reasoning = (_count(usage, name) for name in names)
        if not (prompt or completion or total):
            return
        answer = self.answer
        answer.input_tokens, answer.reasoning_tokens = prompt, reasoning
        is_whole = prompt is not None and completion is not None and total == prompt + completion
        answer.output_tokens = completion if completion is None or is_whole else completion + (reasoning or 0)
        answer.cache_read_tokens = _count(usage, "cached_prompt_text_tokens")
        answer.image_input_tokens = _count(usage, "prompt_image_tokens")

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far: complete with two of a finish reason, a usage, and the stream's end."""
        self.answer.output_texts, self.answer.finish_reasons = self.texts, self.reasons
        signs = bool(self.reasons) + (self.answer.output_tokens is not None) + exhausted
        return self.answer, "complete" if signs > 1 else "partial"


def read_json_answer(body: Any) -> Reading:
    """Reads a completion, or a compaction, which has no text that could be read."""
    chunks = JsonChunks({}, False)
    chunks.absorb(body)
    return chunks.reading(exhausted=True)[0], "complete"
