"""OpenAI's Responses: reads requests, responses, and the events of streams.

**What counts once.** A response to the call that created it counts for that call: automatic key. A *background* response is a job: every call that
gets the job in a terminal state (the creating call, a poll, a cancel, a stream, in any process) records the job under the provider's object id. All
these records have one key and count once; before the terminal state nothing counts. A retrieved response that is *not* a background response was
counted by the call that created the response, in this process or another: the retrieval spends nothing, and records nothing. (A background response
whose terminal state no call gets is not counted.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, Body, fields_of, items_of, unix_seconds
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY, response_is_text_only
from tokentrail.integrations.shapes.openai_chat import texts_of_parts

__all__ = [
    "BackgroundEvents",
    "NewBackgroundEvents",
    "ResponseEvents",
    "add_counts",
    "read_background",
    "read_new_background",
    "read_response",
    "texts_of_response_request",
]

_TERMINAL = {"completed": "complete", "incomplete": "complete", "failed": "error", "cancelled": "partial"}


def texts_of_response_request(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request: instructions, then the input's texts in order (contents, text parts, outputs of tools)."""
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
    """Adds the counts of a usage object. `input_tokens` includes cached and cache-write tokens, `output_tokens` includes reasoning."""
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
    fields = fields_of(response)
    status = fields.get("status")
    answer = Answer(model=fields.get("model") or "", response_id=fields.get("id") or "")
    answer.finish_reasons = (status,) if status else ()
    answer.output_texts = _texts(fields.get("output"))
    if (usage := fields.get("usage")) is not None:
        add_counts(answer, usage)
    return answer


def _texts(output: Any) -> list[str]:
    """Returns the model's output: messages, refusals, summaries of reasoning, the arguments of tool calls."""
    texts = []
    for item in items_of(output):
        fields = fields_of(item)
        for part in (*items_of(fields.get("content")), *items_of(fields.get("summary"))):
            inside = fields_of(part)
            text = inside.get("text") or inside.get("refusal")
            if isinstance(text, str):
                texts.append(text)
        arguments = fields.get("arguments") or fields.get("input")
        if isinstance(arguments, str):
            texts.append(arguments)
    return texts


def _ended(response: Any, unstated: str) -> str:
    """Returns how a response ended; "" while the response is in progress."""
    status = fields_of(response).get("status")
    return _TERMINAL.get(status, "") if isinstance(status, str) else unstated


def read_response(response: Any) -> Reading:
    """Reads the response to the call that created the response."""
    return _answer(response), _ended(response, "complete") or "partial"


def read_background(response: Any) -> Reading | None:
    """Reads a response that may be a job: only a background response in a terminal state is recorded, under its own id."""
    fields = fields_of(response)
    ended = _ended(response, "")
    if not ended or not fields.get("background") or not isinstance(fields.get("id"), str):
        return None
    answer = _answer(response)
    answer.object_id = answer.response_id
    answer.object_created = unix_seconds(fields.get("created_at"))
    return answer, ended


def read_new_background(response: Any) -> Reading | None:
    """Reads the response to the call that created a job, which seldom has ended by then."""
    reading = read_background(response)
    fields = fields_of(response)
    if reading is None and fields.get("background") and isinstance(fields.get("id"), str):
        return Answer(object_id=fields["id"], object_created=unix_seconds(fields.get("created_at"))), "created"
    return reading


class ResponseEvents:
    """Collects a stream of events; a stream of Responses states usage without a request for usage."""

    __slots__ = ("body", "failed", "others", "response", "texts")

    def __init__(self, body: Mapping[str, Any], _asked: bool) -> None:
        self.body = body
        self.others = False  # the stream has other content than text
        self.failed = False
        self.response: Any = None  # the newest snapshot: created, in progress, terminal
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text or snapshot. The usual event (a delta of text) costs no further call."""
        try:
            if type(event) in JSON_OBJECTS:
                if "delta" in event and type(event["delta"]) is str and event["type"] in DELTAS:
                    self.texts += (event["delta"],)
                    return False
                event = event if type(event) is Body else Body.of(event)  # the caller requested dictionaries
            kind = event.type
            if kind in DELTAS:
                if isinstance(event.delta, str):
                    self.texts += (event.delta,)
            elif kind in _SNAPSHOTS:
                self.response = event.response
            elif kind == "error":
                self.failed = True
            elif kind == "response.output_item.added":
                self.others = self.others or event.item.type != "message"
            elif kind not in _TEXT_EVENTS:
                self.others = True
        except (AttributeError, KeyError, TypeError):
            return False  # an event of another shape states no usage
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a stream that ends without a terminal event was interrupted
        """Returns the answer so far: the terminal snapshot, else the texts."""
        answer = _answer(self.response)
        answer.output_texts = answer.output_texts or self.texts or (KNOWN_EMPTY if not self.others and response_is_text_only(self.body) else ())
        return answer, "error" if self.failed else _ended(self.response, "") or "partial"


class BackgroundEvents(ResponseEvents):
    """Collects a job's stream: only the job's terminal state is recorded."""

    __slots__ = ()

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a job goes on without its stream
        """Returns the job's answer; None before the terminal state."""
        return read_background(self.response)


class NewBackgroundEvents(ResponseEvents):
    """Collects the stream of the call that created a job."""

    __slots__ = ()

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a job goes on without its stream
        """Returns the job's answer, or that the job was created."""
        return read_new_background(self.response)


DELTAS = frozenset(
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
_TEXT_EVENTS = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.done",
        "keepalive",
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
