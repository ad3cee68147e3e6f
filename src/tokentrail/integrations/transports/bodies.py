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
from tokentrail.integrations.transports.events import EventReader

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


class NoChunks:
    """Stands in for the chunks of an endpoint without streams."""

    __slots__ = ()

    def absorb(self, _event: Any) -> bool:
        """Ignores an event."""
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - nothing was read
        """Returns no answer."""
        return None


class BodyReader(EventReader):
    """Collects the answer of a body from its bytes: a JSON value at the end of the body, events many at once, frames one by one.

    `deferred`: a body without an answer is no call (a job that is polled).
    """

    __slots__ = ("_deferred", "_events", "_frames", "_read_value", "_size")

    def __init__(self, read: Callable[[Any], Reading | None], chunks: Chunks | None, *, deferred: bool = False) -> None:
        super().__init__(chunks if chunks is not None else NoChunks())
        self._read_value = read
        self._deferred = deferred
        self._size = 0  # of what is kept
        self._events: bool | None = None  # None: no byte was read yet
        self._frames = False

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes, decoded."""
        if self._events and not self._frames:
            self._parts += (part,)  # as `EventReader.absorb`, without a call for each part
            self._count += 1
            if self._count > self._limit:
                self._read(whole=False)
            return False
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
        return False

    def _take_event(self, data: bytes) -> None:
        event = self._parsed(data)
        if isinstance(event, Body):
            self._failed = self._failed or bool(event.error)
            self._chunks.absorb(event)

    def _parsed(self, text: bytes) -> Any:
        try:
            return Body.parse(text)
        except ValueError:
            return None

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far. Events may end before the body, by `[DONE]`; a JSON value ends with the body."""
        nothing = None if self._deferred else (Answer(), "complete" if exhausted else "partial")
        if self._events and not isinstance(self._chunks, NoChunks):
            reading = self._chunks.reading(exhausted=exhausted) if self._frames else super().reading(exhausted=exhausted)
            return (reading[0], "error") if reading is not None and self._failed else reading
        if not exhausted or self._size > MAX_BYTES:
            return nothing
        body = self._parsed(b"".join(self._parts))  # None: empty, or no JSON
        return self._read_value(body) if isinstance(body, Body) else nothing

    def read_whole(self, value: Any) -> Reading | None:
        """Reads a whole body: its bytes, or the SDK's result (a text, a dictionary, a model of the caller's)."""
        if isinstance(value, (str, bytes)):
            self.absorb(value.encode() if isinstance(value, str) else value)
            return self.reading(exhausted=True)
        if value is None or isinstance(value, (list, tuple)):
            return None if self._deferred else (Answer(), "complete")
        return self._read_value(Body.of(value))
