"""OpenAI's Assistants: runs of a thread, and the events of their streams.

A run is a job, like a background response: every call that gets the run in a terminal state (the creating call, a poll, a cancel, the outputs of
tools, a stream; in any process) records the run under its own id, and all these records count once. A run's usage is that of all its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, unix_seconds
from tokentrail.integrations.shapes.openai_chat import texts_of_parts
from tokentrail.integrations.shapes.openai_completions import add_any_counts

__all__ = ["RUN", "RunEvents", "read_run", "texts_of_run"]

_TERMINAL: Final = {"completed": "complete", "incomplete": "complete", "failed": "error", "cancelled": "partial", "expired": "partial"}


def texts_of_run(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request: instructions, then the messages that the request adds to the thread."""
    texts = [text for name in ("instructions", "additional_instructions") if (text := body.get(name)) and isinstance(text, str)]
    thread = body.get("thread")
    for message in (*items_of(body.get("additional_messages")), *items_of(fields_of(thread).get("messages"))):
        content = fields_of(message).get("content")
        if content:
            texts += (content,) if isinstance(content, str) else texts_of_parts(items_of(content))
    return texts


def read_run(run: Any) -> Reading | None:
    """Reads a run, which is recorded only in a terminal state. Other objects behind paths of the same form (runs of evals) are none."""
    fields = fields_of(run)
    status, name = fields.get("status"), fields.get("id")
    if fields.get("object") != "thread.run" or not isinstance(name, str) or not isinstance(status, str) or status not in _TERMINAL:
        return None
    answer = Answer(model=fields.get("model") or "", response_id=name, finish_reasons=(status,), object_id=name)
    answer.object_created = unix_seconds(fields.get("created_at"))
    add_any_counts(answer, fields.get("usage"))
    return answer, _TERMINAL[status]


class RunEvents:
    """Collects the stream of a run: the newest state of the run itself, among those of its steps and messages."""

    __slots__ = ("run",)

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.run: Any = None

    def absorb(self, event: Any) -> bool:
        """Takes an event's run. The SDK's events hold their object in `data`; in bytes, the object is the event."""
        fields = fields_of(event)
        inside = fields_of(fields.get("data")) if "event" in fields else fields
        if inside.get("object") == "thread.run":
            self.run = inside
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a run goes on without its stream
        """Returns the run's answer; None before the terminal state."""
        return read_run(self.run)


RUN: Final = Endpoint(
    name="runs", gen_ai_operation="invoke_agent", operation="chat", texts=texts_of_run, read=read_run, chunks=RunEvents, deferred=True
)
