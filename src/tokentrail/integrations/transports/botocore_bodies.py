"""Follows a response of botocore whose body the caller reads after the call: `read()` as a whole or in pieces, lines, chunks, or not at all.

botocore's `StreamingBody` has many methods, and all of them read from the HTTP client's response, which is followed here: urllib3's `read` of the
response; aiohttp's reader, which refuses new attributes, behind a proxy; httpx's raw bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import wrapt

from tokentrail.instrumentation.contract import Reading
from tokentrail.instrumentation.streams import FollowedStream, watch_close
from tokentrail.recording.runtime import internal_error

__all__ = ["WholeBody", "follow_read"]

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a body that are kept until its end; of a longer one only the headers are read."""


class WholeBody:
    """Collects a body while the caller reads the body. `read` reads the whole; a part of it is no JSON, so `read` finds the headers alone."""

    __slots__ = ("_parts", "_read", "size")

    def __init__(self, read: Callable[[bytes], Reading | None]) -> None:
        self._read = read
        self._parts: list[bytes] = []
        self.size = 0

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes."""
        self.size += len(part)
        if self.size <= MAX_BYTES:
            self._parts.append(part)
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading = self._read(b"".join(self._parts) if exhausted and self.size <= MAX_BYTES else b"")
        return None if reading is None else (reading[0], "complete" if exhausted else "partial")


def follow_read(raw: Any, followed: FollowedStream, *, length: str | None) -> None:
    """Follows the bytes of an HTTP client's response; `length` is the stated length of the body."""
    take = _Reads(followed, length)
    if hasattr(raw, "aiter_raw"):
        _follow_httpx(raw, take)
        watch_close(raw, followed, is_async=True)
    elif hasattr(raw, "content"):  # aiohttp
        raw.content = _Reader(raw.content, take)
        watch_close(raw, followed, is_async=False)
    else:
        _follow_urllib3(raw, take)
        watch_close(raw, followed, is_async=False)


class _Reads:
    """Takes the result of each read, and records the call at the end of the body or at an error."""

    __slots__ = ("_length", "followed")

    def __init__(self, followed: FollowedStream, length: str | None) -> None:
        self.followed = followed
        self._length = int(length) if length is not None and length.isdecimal() else None

    def part(self, part: Any, wanted: Any) -> None:
        """Takes the bytes of a read of so many bytes; None or -1: of all that is left."""
        try:
            body: Any = self.followed.chunks
            if part:
                body.absorb(bytes(part))
            if wanted is None or wanted < 0 or (not part and wanted) or (self._length is not None and body.size >= self._length):
                self.followed.end(exhausted=self._length is None or body.size >= self._length)
        except Exception as failure:
            internal_error("stream", failure)

    def failed(self, error: BaseException) -> None:
        """Records an interrupted body."""
        try:
            self.followed.end(error=error)
        except Exception as failure:
            internal_error("stream", failure)


def _follow_urllib3(raw: Any, take: _Reads) -> None:
    """Replaces `read` and `read1` of urllib3's response: every other method of the response calls one of them."""
    for name in ("read", "read1"):
        if hasattr(raw, name):
            setattr(raw, name, _followed_read(getattr(raw, name), take))


def _followed_read(read: Callable[..., Any], take: _Reads) -> Callable[..., Any]:
    def read_and_take(amt: Any = None, *args: Any, **kwargs: Any) -> Any:
        if take.followed.stepping:
            return read(amt, *args, **kwargs)  # called by another method of the response
        take.followed.stepping = True
        try:
            part = read(amt, *args, **kwargs)
        except BaseException as error:
            take.failed(error)
            raise
        finally:
            take.followed.stepping = False
        take.part(part, amt)
        return part

    return read_and_take


class _Reader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # older versions have no argument
    """aiohttp's reader of a body, whose reads are taken."""

    def __init__(self, reader: Any, take: _Reads) -> None:
        super().__init__(reader)
        self._self_take = take

    async def read(self, n: int = -1) -> Any:
        """Reads as aiohttp's reader does."""
        return await self._taken(self.__wrapped__.read(n), n)

    async def readany(self) -> Any:
        """Reads what is there."""
        return await self._taken(self.__wrapped__.readany(), 1)

    async def _taken(self, reads: Any, wanted: int) -> Any:
        take = self._self_take
        take.followed.stepping = True
        try:
            part = await reads
        except BaseException as error:
            take.failed(error)
            raise
        finally:
            take.followed.stepping = False
        take.part(part, wanted)
        return part


def _follow_httpx(raw: Any, take: _Reads) -> None:
    """Replaces `aiter_raw` of httpx's response, the only method that aiobotocore calls."""
    parts = raw.aiter_raw

    async def follow_raw(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        try:
            async for part in parts(*args, **kwargs):
                take.part(part, 1)
                yield part
        except Exception as error:
            take.failed(error)
            raise
        take.part(b"", None)

    raw.aiter_raw = follow_raw
