"""Gemini's Live sessions: reads the server's messages, as JSON.

Each message with `usageMetadata` states one response of the model: the whole context of the session by then, and the response. Google bills the
accumulated context on every turn (ai.google.dev/gemini-api/docs/live-api/best-practices, "Pricing & billing"), so the messages of a session are added
up; none states the sum of the session. The response is `responseTokenCount`, on Vertex `candidatesTokenCount`; thoughts are beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.gemini import add_counts, texts_of_part
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, sum_of

__all__ = ["LiveMessages", "begins", "ends_turn", "read_live", "states_usage"]

_COUNTS: Final = tuple(name for name in Answer.__struct_fields__ if name.endswith("_tokens"))


def begins(message: Mapping[str, Any]) -> bool:
    """Whether a message is part of a response: transcriptions may come late, and begin none."""
    return bool(fields_of(message.get("serverContent")).get("modelTurn") or message.get("toolCall"))


def ends_turn(message: Mapping[str, Any]) -> bool:
    """Whether a message ends the model's turn; the usage may stand in this message, before or after it."""
    return bool(fields_of(message.get("serverContent")).get("turnComplete"))


def states_usage(message: Mapping[str, Any]) -> bool:
    """Whether a message states a usage."""
    return bool(fields_of(message.get("usageMetadata")))


class LiveMessages:
    """Collects the messages of a response, or of all responses of a session."""

    __slots__ = ("_heard", "answer", "is_over", "is_stated", "reason", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.is_over = False
        self.is_stated = False
        self.reason = ""
        self.texts: list[str] = []
        self._heard: list[str] = []

    def absorb(self, message: Any) -> bool:
        """Takes a message's texts and usage."""
        fields = fields_of(message)
        content = fields_of(fields.get("serverContent"))
        for part in items_of(fields_of(content.get("modelTurn")).get("parts")):
            self.texts += texts_of_part(fields_of(part))
        for call in items_of(fields_of(fields.get("toolCall")).get("functionCalls")):
            self.texts += texts_of_part({"functionCall": call})
        if isinstance(heard := fields_of(content.get("outputTranscription")).get("text"), str):
            self._heard += (heard,)
        self.is_over = self.is_over or ends_turn(fields)
        reason = content.get("turnCompleteReason") or (content.get("interrupted") and "interrupted")
        self.reason = reason if isinstance(reason, str) else self.reason
        if usage := fields_of(fields.get("usageMetadata")):
            self.is_stated = True
            stated = Answer()
            add_counts(stated, usage)
            for name in _COUNTS:
                setattr(self.answer, name, sum_of(getattr(self.answer, name), getattr(stated, name)))
        return False

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far. A spoken answer's texts are those of its transcription."""
        self.answer.output_texts = self.texts or self._heard
        self.answer.finish_reasons = (self.reason,) if self.reason else ()
        return self.answer, "complete" if self.is_stated or (exhausted and self.is_over) else "partial"


def read_live(message: Any) -> Reading:
    """Reads one message."""
    messages = LiveMessages({}, False)
    messages.absorb(message)
    return messages.reading(exhausted=True)
