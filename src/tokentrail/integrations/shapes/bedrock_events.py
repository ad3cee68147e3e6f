"""Bedrock's streams as JSON: the events that boto3 gives, that a log has, or that are read from AWS's frames; see `converse` and `bedrock_streams`.

{"messageStop": {"stopReason": "end_turn"}}      {"chunk": {"bytes": …}}      {"type": "message_start", …}: the JSON of a chunk itself
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tokentrail.instrumentation.contract import Chunks, Reading
from tokentrail.integrations.shapes.bedrock_streams import InvokedMessages
from tokentrail.integrations.shapes.converse import ConverseMessages
from tokentrail.integrations.shapes.json_objects import fields_of

__all__ = ["ConversedEvents", "InvokedEvents"]


class _Message(NamedTuple):
    """A message of an AWS event stream, as the shapes of streams take it."""

    headers: Mapping[str, str]
    payload: bytes


def _message(kind: str, fields: Any) -> _Message:
    return _Message({":event-type": kind}, json.dumps(fields, default=str).encode())


def _conversed(event: Mapping[str, Any]) -> Iterator[_Message]:
    for kind, fields in event.items():
        yield _message(kind, fields)


def _invoked(event: Mapping[str, Any]) -> Iterator[_Message]:
    sent = fields_of(event.get("chunk")).get("bytes")
    if sent is None:
        sent = json.dumps(event).encode()
    yield _message("chunk", {"bytes": base64.b64encode(sent).decode() if isinstance(sent, (bytes, bytearray)) else sent})


class _Events:
    """Collects events, each as messages."""

    __slots__ = ("_chunks", "_messages", "failed")

    def __init__(self, chunks: Chunks, messages: Callable[[Mapping[str, Any]], Iterator[_Message]]) -> None:
        self._chunks = chunks
        self._messages = messages
        self.failed = False

    def absorb(self, event: Any) -> bool:
        """Takes an event."""
        fields = fields_of(event)
        if any(kind.endswith("Exception") for kind in fields):
            self.failed = True
        else:
            for message in self._messages(fields):
                self._chunks.absorb(message)
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading = self._chunks.reading(exhausted=exhausted)
        return (reading[0], "error") if reading is not None and self.failed else reading


class ConversedEvents(_Events):
    """Collects the events of ConverseStream."""

    __slots__ = ()

    def __init__(self, body: Mapping[str, Any], asked: bool) -> None:
        super().__init__(ConverseMessages(body, asked), _conversed)


class InvokedEvents(_Events):
    """Collects the events of InvokeModelWithResponseStream."""

    __slots__ = ()

    def __init__(self, body: Mapping[str, Any], asked: bool) -> None:
        super().__init__(InvokedMessages(body, asked), _invoked)
