"""Reads HTTP bodies that the SDK did not parse (JSON, server-sent events, AWS frames) like the SDK's own objects.

Such bodies result from `with_raw_response`, `with_streaming_response` (`read()`, `iter_lines()`, …), `cast_to=httpx.Response`, and from a request
whose body has `"stream": true` while the SDK's `stream` argument is false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Chunks, Reading
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.transports.aws_frames import FIRST_BYTE, split_frames

__all__ = ["BodyReader", "MediaReader", "is_media"]

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one JSON body, or of one line of events, that are kept until the end of the body or line; longer ones are not read."""


def is_media(response: Any) -> bool:
    """Whether the body of an HTTP response is audio, an image or a video."""
    return str(response.headers.get("content-type")).startswith(("audio/", "image/", "video/", "application/octet-stream"))


class MediaReader:
    """Stands in for a `BodyReader` where the body is audio or an image, in which no usage is stated: no byte is kept."""

    __slots__ = ()

    def absorb(self, _part: bytes) -> bool:
        """Ignores the next bytes."""
        return False

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns an answer that states nothing."""
        return Answer(), "complete" if exhausted else "partial"

    def read_whole(self, _value: Any) -> Reading:
        """Returns an answer that states nothing."""
        return Answer(), "complete"


class BodyReader:
    """Collects the answer of a body from its bytes: a JSON value at the end of the body, events one by one.

    `deferred`: a body without an answer is no call (a job that is polled).
    """

    __slots__ = ("_chunks", "_data", "_deferred", "_done", "_events", "_failed", "_frames", "_parts", "_read", "_size")

    def __init__(self, read: Callable[[Any], Reading | None], chunks: Chunks | None, *, deferred: bool = False) -> None:
        self._read = read
        self._chunks = chunks
        self._deferred = deferred
        self._parts: list[bytes] = []  # of the JSON value, or of the unfinished line
        self._size = 0
        self._data: list[bytes] = []  # the lines of the unfinished event
        self._events: bool | None = None  # None: no byte was read yet
        self._frames = False
        self._done = False
        self._failed = False

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes, decoded."""
        if self._events is None and (begun := part.lstrip(b"\xef\xbb\xbf \t\r\n")):
            self._events = begun[:1] not in b'{["'
            self._frames = begun[:1] == FIRST_BYTE
        if self._size <= MAX_BYTES:
            self._size += len(part)
            self._parts.append(part)
        if self._frames:
            events, rest = split_frames(b"".join(self._parts))
            self._parts, self._size = [rest], len(rest)
            for event in events:
                self._take_event(event)
        elif self._events and b"\n" in part:
            *lines, rest = b"".join(self._parts).split(b"\n")
            self._parts, self._size = [rest], len(rest)
            for line in lines:
                self._take_line(line.rstrip(b"\r"))
        return False

    def _take_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            self._take_event(data)

    def _take_event(self, data: bytes) -> None:
        if data.startswith(b"[DONE]"):
            self._done = True
            return
        try:
            event = Body.parse(data)
        except ValueError:
            return
        if isinstance(event, Body) and self._chunks is not None:
            self._failed = self._failed or bool(event.error)
            self._chunks.absorb(event)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far. Events may end before the body, by `[DONE]`; a JSON value ends with the body."""
        nothing = None if self._deferred else (Answer(), "complete" if exhausted else "partial")
        if self._events and self._chunks is not None:
            if exhausted:
                self._take_line(b"".join(self._parts).rstrip(b"\r"))
                self._take_line(b"")
            reading = self._chunks.reading(exhausted=exhausted or self._done)
            return (reading[0], "error") if reading is not None and self._failed else reading
        if not exhausted or self._size > MAX_BYTES:
            return nothing
        try:
            body = Body.parse(b"".join(self._parts))
        except ValueError:  # empty, or no JSON
            return nothing
        return self._read(body) if isinstance(body, Body) else nothing

    def read_whole(self, value: Any) -> Reading | None:
        """Reads a whole body: its bytes, or the SDK's result (a text, a dictionary, a model of the caller's)."""
        if isinstance(value, (str, bytes)):
            self.absorb(value.encode() if isinstance(value, str) else value)
            return self.reading(exhausted=True)
        if value is None or isinstance(value, (list, tuple)):
            return None if self._deferred else (Answer(), "complete")
        return self._read(Body.of(value))
