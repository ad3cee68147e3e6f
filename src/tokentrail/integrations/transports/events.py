"""Reads server-sent events of which the SDK makes its objects later, many at once: a chunk costs nearly nothing while the caller reads the stream."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from tokentrail.instrumentation.contract import Chunks, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, parsed_json

__all__ = ["EventReader"]

AT_ONCE: Final = 256
"""Parts of a body that are collected before their events are read."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one event; a longer event is not read."""
MANY_BYTES: Final = 64 * 1024

_data = re.compile(rb"^(?:\xef\xbb\xbf)?data:(.*)", re.MULTILINE).findall
_BLANK_LINE: Final = rb"(?:\r\n(?:\r\n|\n|\r)|\n(?:\r\n|\n|\r)|\r\r\n?)"
_to_the_last_end = re.compile(rb".*" + _BLANK_LINE, re.DOTALL).match
_blocks = re.compile(_BLANK_LINE).split
_lines = re.compile(rb"\r\n|\n|\r").split
_decode = msgspec.json.decode


class EventReader:
    """Passes the events of a stream to the chunks of a shape, as dictionaries."""

    __slots__ = ("_chunks", "_count", "_done", "_failed", "_limit", "_parts")

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._parts: list[bytes] = []
        self._count = 0
        self._limit = AT_ONCE
        self._done = False
        self._failed = False  # an event is an error

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes, decoded."""
        self._parts += (part,)
        self._count += 1
        if self._count > self._limit:
            self._read(whole=False)
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far; events may end before the body, by `[DONE]`."""
        self._read(whole=exhausted)
        return self._chunks.reading(exhausted=exhausted or self._done)

    def _read(self, *, whole: bool) -> None:
        """Reads the events that have an end; the body's end is that of the last event."""
        text = b"".join(self._parts)
        found = None if whole else _to_the_last_end(text)
        end = len(text) if whole else found.end() if found is not None else 0
        rest = text[end:] if len(text) - end <= MAX_BYTES else b""
        self._parts, self._count = [rest], 0
        self._limit = AT_ONCE * (1 + len(rest) // MANY_BYTES)  # so that a long event is not joined again and again
        if end and not self._done:
            self._take(text[:end])

    def _take(self, text: bytes) -> None:
        """Parses events of one line each, the usual ones, by a single call."""
        lines = _data(text)
        if lines and lines[-1].strip() == b"[DONE]":
            lines.pop()
            self._done = True
        events = self._parsed(b"[" + b",".join(lines) + b"]")
        if events is None:
            events = self._one_by_one(text)
        absorb = self._chunks.absorb
        for event in events:
            if type(event) in JSON_OBJECTS:
                if "error" in event and event["error"]:  # noqa: RUF019 - `get` would be a call for each event
                    self._failed = True
                absorb(event)

    def _one_by_one(self, text: bytes) -> list[Any]:
        """Parses events of any lines; an event that is no JSON takes no other event with it."""
        events = []
        for block in _blocks(text.removeprefix(b"\xef\xbb\xbf")):
            data = b"\n".join(line[5:] for line in _lines(block) if line.startswith(b"data:"))
            if data.strip() == b"[DONE]":
                self._done = True
                break
            events.append(self._parsed(data))
        return events

    def _parsed(self, text: bytes) -> Any:
        """Returns the value of a JSON text; None for any other text."""
        return parsed_json(text)
