"""Follows a response of botocore whose body the caller reads after the call: `read()` as a whole or in pieces, lines, chunks, or not at all.

botocore's `StreamingBody` has many methods, and all of them read from the HTTP client's response, which is followed here (`botocore_responses`):
urllib3's response; httpx's; aiohttp's reader, which refuses new attributes, behind a proxy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any, Final

import wrapt

from tokentrail.frames import passed_over
from tokentrail.instrumentation.contract import Reading
from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.integrations.transports.botocore_errors import error_above, error_of_short
from tokentrail.integrations.transports.botocore_responses import Follower, close, closed_async, follower_of, give_back, replace_methods
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
        else:
            self._parts.clear()
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far, and forgets the bytes."""
        parts, self._parts = self._parts, []
        reading = self._read(b"".join(parts) if exhausted else b"")
        return None if reading is None else (reading[0], "complete" if exhausted else "partial")


class _Reads(Follower):
    """Takes the result of each read, and records the call at the end of the body or at an error."""

    __slots__ = ("_length",)

    def __init__(self, followed: FollowedStream, length: str | None) -> None:
        super().__init__(followed)
        self._length = int(length) if length is not None and length.isdecimal() else None

    def part(self, part: Any, wanted: Any) -> None:
        """Takes the bytes of a read of so many bytes; None or -1: of all that is left."""
        try:
            if not self.is_open():
                return
            body: Any = self.followed.chunks
            if part:
                body.absorb(bytes(part))
            is_whole = self._length is None or body.size >= self._length
            if wanted is None or wanted < 0 or (not part and wanted) or (self._length is not None and is_whole):
                self.followed.end(exhausted=is_whole, error=None if is_whole else error_of_short(body.size, self._length, wanted))
        except Exception as failure:
            internal_error("stream", failure)

    def failed(self, error: BaseException) -> None:
        """Records an interrupted body."""
        try:
            self.followed.end(error=error_above(error))
        except Exception as failure:
            internal_error("stream", failure)


def follow_read(raw: Any, followed: FollowedStream, *, length: str | None) -> None:
    """Follows the bytes of an HTTP client's response; `length` is the stated length of the body."""
    take = _Reads(followed, length)
    if hasattr(raw, "aiter_raw"):
        replace_methods(raw, take, aiter_raw=_httpx_parts, aclose=closed_async)
    elif hasattr(raw, "content"):  # aiohttp
        replace_methods(raw, take, close=close)
        raw.content = _Reader(raw.content, take)
    else:  # every other method of urllib3's response calls one of these
        replace_methods(raw, take, read=_read, read1=_read1, read_chunked=_read_chunked, close=close)


def _read(read: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(read)
    @passed_over
    def read_and_take(raw: Any, *args: Any, **kwargs: Any) -> Any:
        return _taken(read, args[0] if args else kwargs.get("amt"), raw, args, kwargs)

    return read_and_take


def _read1(read1: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(read1)
    @passed_over
    def read1_and_take(raw: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = args[0] if args else kwargs.get("amt")
        return _taken(read1, 0 if wanted == 0 else 1, raw, args, kwargs)  # without a number it reads what is there, not all

    return read1_and_take


@passed_over
def _taken(read: Callable[..., Any], wanted: Any, raw: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    take = follower_of(raw)
    if take is None or take.followed.stepping:
        return read(raw, *args, **kwargs)  # called by another method of the response
    take.followed.stepping = True
    try:
        part = read(raw, *args, **kwargs)
    except BaseException as error:
        take.failed(error)
        give_back(raw)
        raise
    finally:
        take.followed.stepping = False
    take.part(part, wanted)
    if not take.is_open():
        give_back(raw)
    return part


def _read_chunked(read_chunked: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    @wraps(read_chunked)
    @passed_over
    def read_chunked_and_take(raw: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        take = follower_of(raw)
        if take is None or take.followed.stepping:
            yield from read_chunked(raw, *args, **kwargs)
            return
        take.followed.stepping = True
        try:
            for part in read_chunked(raw, *args, **kwargs):
                take.followed.stepping = False
                take.part(part, 1)
                yield part
                take.followed.stepping = True
        except GeneratorExit:
            raise  # the caller stopped reading
        except BaseException as error:
            take.failed(error)
            give_back(raw)
            raise
        finally:
            take.followed.stepping = False
        if args[:1] != (0,):
            take.part(b"", None)
            give_back(raw)

    return read_chunked_and_take


class _Reader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # older versions have no argument
    """aiohttp's reader of a body, whose reads are taken."""

    def __init__(self, reader: Any, take: _Reads) -> None:
        super().__init__(reader)
        self._self_take = take

    @passed_over
    async def read(self, n: int = -1) -> Any:
        """Reads as aiohttp's reader does."""
        return await self._taken(self.__wrapped__.read(n), n)

    @passed_over
    async def readany(self) -> Any:
        """Reads what is there."""
        return await self._taken(self.__wrapped__.readany(), 1)

    @passed_over
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


def _httpx_parts(aiter_raw: Callable[..., AsyncIterator[bytes]]) -> Callable[..., AsyncIterator[bytes]]:
    """The only method of httpx's response that aiobotocore reads by."""

    @wraps(aiter_raw)
    async def follow_raw(raw: Any, *args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        take = follower_of(raw)
        if take is None:
            async for part in aiter_raw(raw, *args, **kwargs):
                yield part
            return
        take.followed.stepping = True
        try:
            async for part in aiter_raw(raw, *args, **kwargs):
                take.followed.stepping = False
                take.part(part, 1)
                yield part
                take.followed.stepping = True
        except GeneratorExit:
            raise
        except BaseException as error:
            take.failed(error)
            give_back(raw)
            raise
        finally:
            take.followed.stepping = False
        take.part(b"", None)
        give_back(raw)

    return follow_raw
