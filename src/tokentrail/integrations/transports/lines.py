"""Streams whose bytes are lines of JSON, or server-sent events with JSON, one line each: many events are parsed at once, in one function call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec

from tokentrail.instrumentation.contract import Chunks, Reading
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.bodies import MAX_BYTES

__all__ = ["Lines"]

AT_ONCE: Final = 64
"""Parts of a stream's bytes that are kept before their lines are parsed."""

_OBJECTS: Final = re.compile(rb"^(?:data:)?[ \t]*(\{.*)$", re.MULTILINE)
_decode_lines: Final = msgspec.json.Decoder().decode_lines


class Events(Chunks, Protocol):
    """Collects the events of a stream, many at once."""

    def absorb_all(self, events: Iterable[Any]) -> None:
        """Takes counts and texts from events."""


class Lines:
    """Collects the answer of a stream from its bytes. `chunks` makes the collector of the events."""

    __slots__ = ("_chunks", "_many", "_parts")

    def __init__(self, chunks: Callable[[], Events]) -> None:
        self._chunks = chunks()
        self._parts: list[bytes] = []
        self._many = 0

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes, decoded."""
        self._parts += (part,)
        self._many += 1
        if self._many >= AT_ONCE:
            self._take_lines()
        return False

    def _take_lines(self) -> None:
        """Takes all whole lines; the rest waits for more bytes."""
        self._many = 0
        text, end, rest = b"".join(self._parts).rpartition(b"\n")
        self._parts = [rest] if len(rest) < MAX_BYTES else []
        if end:
            self._take_events(text)

    def _take_events(self, text: bytes) -> None:
        objects = _OBJECTS.findall(text)
        try:
            events = _decode_lines(b"\n".join(objects))
        except ValueError:  # one of the lines is torn, or none of JSON
            events = [event for each in objects if (event := parsed_json(each)) is not None]
        self._chunks.absorb_all(events)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far; also of a last line without an end."""
        self._take_events(b"".join(self._parts))
        self._parts = []
        return self._chunks.reading(exhausted=exhausted)
