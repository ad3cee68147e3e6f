"""Mistral's conversations with models and agents: reads requests, answers and events, as JSON.

One call may hold several samplings, tools that Mistral runs, and other agents; its usage is that of them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of
from tokentrail.integrations.shapes.mistral import TypedEvents, add_counts, arguments_of, texts_within

__all__ = ["ConversationEvents", "read_conversation", "texts_of_conversation"]


def texts_of_conversation(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request: instructions, then the inputs (a text, or entries with a content or a function's result)."""
    inputs = body.get("inputs")
    texts = [*texts_within(body.get("instructions")), *(texts_within(inputs) if isinstance(inputs, str) else ())]
    for entry in items_of(inputs):
        fields = fields_of(entry)
        texts += texts_within(fields.get("content") or fields.get("result"))
    return texts


def _take_entry(answer: Answer, texts: list[str], entry: Mapping[str, Any]) -> None:
    """Takes the texts and names of an entry, or of a piece of one; the last entry names the answer."""
    content = entry.get("content")
    texts += texts_within([content] if isinstance(content, Mapping) else content)
    if str(entry.get("type")).startswith("function.call"):
        texts += arguments_of(entry)
    answer.model = entry.get("model") or answer.model
    answer.response_id = entry.get("id") or answer.response_id


def read_conversation(body: Any) -> Reading:
    """Reads a whole answer."""
    fields, answer, texts = fields_of(body), Answer(), []  # type: ignore[var-annotated]
    for entry in items_of(fields.get("outputs")):
        _take_entry(answer, texts, fields_of(entry))
    if (usage := fields.get("usage")) is not None:
        add_counts(answer, usage)
    answer.output_texts = texts
    return answer, "complete"


class ConversationEvents(TypedEvents):
    """Collects a stream."""

    __slots__ = ()
    are_entries = True

    def take(self, kind: Any, fields: Mapping[str, Any]) -> None:
        """Takes an event of a kind."""
        if kind in ("message.output.delta", "function.call.delta"):
            _take_entry(self.answer, self.texts, fields)
        elif kind == "conversation.response.done":
            self.ended = "complete"
            if (usage := fields.get("usage")) is not None:
                add_counts(self.answer, usage)
        elif kind == "conversation.response.error":
            self.ended = "error"
