"""OpenAI's Responses: how to read a request, a response, a stream's events.

**What counts once.** A response that is answered by the call which made it is that call's: automatic key. A *background* response is a job: whoever
sees it in a terminal state (the call itself, a poll, a cancel, a stream, in any process) records it under the provider's object id, so all of them
count once, and none does before that state. A retrieved response that is *not* a background one was counted by the call that made it, here or
elsewhere: retrieving it spends nothing, and records nothing. (A background response that nobody ever sees finished is not counted.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.call import Answer
from tokentrail.providers import Reading
from tokentrail.providers.openai_shape import Body, fields_of, texts_of_parts

__all__ = ["ResponseEvents", "add_counts", "read_background", "read_response", "texts_of_response_request"]

_TERMINAL = {"completed": "complete", "incomplete": "complete", "failed": "error", "cancelled": "partial"}


def texts_of_response_request(body: Mapping[str, Any]) -> Sequence[str]:
    """The texts of a request: instructions, then the input's texts in order (contents, text parts, outputs of tools)."""
    texts: list[str] = []
    if isinstance(instructions := body.get("instructions"), str):
        texts.append(instructions)
    given = body.get("input")
    if isinstance(given, str):
        texts.append(given)
        return texts
    for item in given if isinstance(given, (list, tuple)) else ():
        content = (item.get("content") or item.get("output")) if isinstance(item, dict) else None
        if content:
            texts += (content,) if isinstance(content, str) else texts_of_parts(content)
    return texts


def add_counts(answer: Answer, usage: Any) -> None:
    """Take the counts of a usage object: cached and cache-write tokens lie inside `input_tokens`, reasoning inside `output_tokens`."""
    fields = fields_of(usage)
    answer.input_tokens = fields.get("input_tokens")
    answer.output_tokens = fields.get("output_tokens")
    if details := fields.get("input_tokens_details"):
        inside = fields_of(details)
        answer.cache_read_tokens = inside.get("cached_tokens")
        answer.cache_write_tokens = inside.get("cache_write_tokens")
        answer.audio_input_tokens = inside.get("audio_tokens")
        answer.image_input_tokens = inside.get("image_tokens")
    if details := fields.get("output_tokens_details"):
        inside = fields_of(details)
        answer.reasoning_tokens = inside.get("reasoning_tokens")
        answer.audio_output_tokens = inside.get("audio_tokens")
        answer.image_output_tokens = inside.get("image_tokens")


def _answer(response: Any) -> Answer:
    fields = fields_of(response) if hasattr(response, "__dict__") else {}
    status = fields.get("status") or ""
    answer = Answer(model=fields.get("model") or "", response_id=fields.get("id") or "")
    answer.finish_reasons = (status,) if status else ()
    answer.output_texts = _texts(fields.get("output") or ())
    if (usage := fields.get("usage")) is not None:
        add_counts(answer, usage)
    return answer


def _texts(output: Sequence[Any]) -> list[str]:
    """What a model said: messages, refusals, summaries of its reasoning, the arguments of tool calls."""
    texts = []
    for item in output:
        fields = fields_of(item)
        for part in (*(fields.get("content") or ()), *(fields.get("summary") or ())):
            inside = fields_of(part)
            text = inside.get("text") or inside.get("refusal")
            if isinstance(text, str):
                texts.append(text)
        said = fields.get("arguments") or fields.get("input")
        if isinstance(said, str):
            texts.append(said)
    return texts


def read_response(response: Any) -> Reading:
    """Read the response to the call that made it."""
    return _answer(response), _TERMINAL.get(getattr(response, "status", None) or "completed", "partial")


def read_background(response: Any) -> Reading | None:
    """Read a response that may be a job: only a background one in a terminal state is recorded, under its own id."""
    ended = _TERMINAL.get(getattr(response, "status", None) or "")
    if ended is None or not getattr(response, "background", None):
        return None
    answer = _answer(response)
    answer.object_id = answer.response_id
    answer.object_created = int(getattr(response, "created_at", None) or 0)
    return answer, ended


class ResponseEvents:
    """What is gathered from a stream of events. `background`: whether only a job's terminal state is recorded."""

    __slots__ = ("background", "failed", "response", "texts")

    def __init__(self, *, background: bool = False) -> None:
        self.background = background
        self.failed = False
        self.response: Any = None  # the newest snapshot: created, in progress, terminal
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Take an event's text, or the snapshot that it carries."""
        kind = event.type
        if kind in _DELTAS:
            if isinstance(event.delta, str):
                self.texts += (event.delta,)
        elif kind in _SNAPSHOTS:
            self.response = event.response
        elif kind == "error":
            self.failed = True
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a stream that ends without a terminal event was cut short
        """Say what is known: the terminal snapshot, else the texts until now."""
        response = self.response if self.response is not None else Body()
        if self.background:
            return read_background(response)
        answer = _answer(response)
        answer.output_texts = answer.output_texts or self.texts
        ended = _TERMINAL.get(getattr(response, "status", None) or "", "partial")
        return answer, "error" if self.failed else ended


_DELTAS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    }
)
_SNAPSHOTS = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    }
)
