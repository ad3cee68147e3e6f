"""Google's Interactions: reads requests, interactions, and the events of streams, as JSON.

`total_input_tokens` leaves out the results of Google's own tools (`total_tool_use_tokens`), `total_output_tokens` leaves out thoughts
(`total_thought_tokens`): `total_tokens` is the sum of all four (seen in recordings). In tokentrail a total includes its subsets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, sum_of, whole

__all__ = ["InteractionEvents", "read_interaction", "read_unfinished", "texts_of_interaction"]

_ENDED = {"in_progress": "", "queued": "", "failed": "error", "cancelled": "partial"}
"""How an interaction of a status has ended; one of any other status is complete, and may go on in another interaction."""


def _texts_in(value: Any) -> Iterator[str]:
    """Yields the texts of a content: a text, an object with a text or with more contents, or a list of these."""
    if isinstance(value, str):
        yield value
        return
    for each in items_of(value) or (value,):
        fields = fields_of(each)
        text = fields.get("text")
        if isinstance(text, str):
            yield text
        elif (inner := fields.get("content")) is not None or (inner := fields.get("result")) is not None:
            yield from _texts_in(inner)


def texts_of_interaction(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request: the system instruction, then the input's, in order."""
    return [*_texts_in(body.get("system_instruction")), *_texts_in(body.get("input"))]


def _of_kind(usage: Mapping[str, Any], kind: str, *names: str) -> int | None:
    details = [fields_of(detail) for name in names for detail in items_of(usage.get(name))]
    return sum_of(*(detail.get("tokens") for detail in details if detail.get("modality") == kind))


def _answer(interaction: Mapping[str, Any]) -> Answer:
    """Returns an interaction's answer."""
    answer = Answer(model=interaction.get("model") or "", response_id=interaction.get("id") or "")
    usage = fields_of(interaction.get("usage"))
    if (given := whole(usage.get("total_input_tokens"))) is not None:
        answer.input_tokens = sum_of(given, usage.get("total_tool_use_tokens"))
    answer.output_tokens = sum_of(usage.get("total_output_tokens"), usage.get("total_thought_tokens"))
    answer.cache_read_tokens = whole(usage.get("total_cached_tokens"))
    answer.reasoning_tokens = whole(usage.get("total_thought_tokens"))
    inputs = ("input_tokens_by_modality", "tool_use_tokens_by_modality")
    answer.audio_input_tokens, answer.image_input_tokens = _of_kind(usage, "audio", *inputs), _of_kind(usage, "image", *inputs)
    answer.audio_output_tokens = _of_kind(usage, "audio", "output_tokens_by_modality")
    answer.image_output_tokens = _of_kind(usage, "image", "output_tokens_by_modality")
    answer.output_texts = [text for step in _steps(interaction) for text in _output_of(fields_of(step))]
    status = interaction.get("status")
    answer.finish_reasons = (status,) if isinstance(status, str) else ()
    return answer


def _steps(interaction: Mapping[str, Any]) -> Sequence[Any]:
    return [*items_of(interaction.get("steps")), *items_of(interaction.get("outputs"))]


def _output_of(step: Mapping[str, Any]) -> Iterator[str]:
    """Yields the model's output in a step: texts, summaries of thoughts, the arguments of a function call."""
    if step.get("type") in ("user_input", "function_result"):
        return
    if arguments := step.get("arguments"):
        yield arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), default=str)
    yield from _texts_in((step,))
    yield from _texts_in(step.get("summary"))


def _ended(interaction: Mapping[str, Any], unstated: str) -> str:
    """Returns how an interaction ended; "" while it goes on."""
    status = interaction.get("status")
    return _ENDED.get(status, "complete") if isinstance(status, str) else unstated


def read_interaction(body: Any) -> Reading:
    """Reads the interaction that a call has created."""
    interaction = fields_of(body)
    return _answer(interaction), _ended(interaction, "complete") or "partial"


def read_unfinished(body: Any) -> Reading | None:
    """Reads an interaction that may go on; None before its end."""
    interaction = fields_of(body)
    ended = _ended(interaction, "")
    return (_answer(interaction), ended) if ended else None


WITHOUT_TEXT: Final = ("step.start", "step.stop", "interaction.status_update")


class InteractionEvents:
    """Collects a stream; the last event carries the interaction with its usage."""

    __slots__ = ("failed", "interaction", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.failed = False
        self.interaction: dict[str, Any] = {}
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text, or the interaction as it stands by then. The usual event, a piece of text, costs no further call."""
        try:
            if event["event_type"] in WITHOUT_TEXT and not ("interaction" in event or "delta" in event):
                return False
            delta = event["delta"]
            text = delta["text"]
            if type(text) is str and delta["type"] == "text" and not ("interaction" in event or "arguments" in delta or "summary" in delta):
                self.texts += (text,)
                return False
        except (KeyError, TypeError):
            pass
        fields = fields_of(event)
        kind = fields.get("event_type")
        if interaction := fields_of(fields.get("interaction")):
            self.interaction = {**self.interaction, **interaction}
        elif delta := fields_of(fields.get("delta")):
            self.texts += _output_of(delta)
        elif kind == "error" or "error" in fields:
            self.failed = True
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a stream without its last event was interrupted
        """Returns the answer so far."""
        answer = _answer(self.interaction)
        answer.output_texts = answer.output_texts or self.texts
        return answer, "error" if self.failed else _ended(self.interaction, "") or "partial"
