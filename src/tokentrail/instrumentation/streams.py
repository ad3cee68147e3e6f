"""Following a stream while the caller reads it, so that it is recorded exactly once however it ends.

| the stream                          | who notices                                                                   |
|-------------------------------------|-------------------------------------------------------------------------------|
| is read to its end, fails, is cancelled | the generator that stands in for the SDK's iterator, or for the body's bytes |
| is closed (`close()`, `with`)       | the response's `close`, which all of an SDK's helpers come down to            |
| is dropped, read or not             | `Following.__del__`: only the stand-in and the response hold it               |
| is still open when the process ends | `OpenStreams.end_all`, before the journal is closed                           |

SDKs and HTTP clients close a response in their own cleanup too, some before their iterator ends, some while it is let go. Such a close says nothing:
while a stand-in is inside a step, the stand-in's own end says more (complete, or the error); a close between two steps is the caller's.
The caller keeps the SDK's own objects: only the iterator inside them is another one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextvars import Context, copy_context
from typing import Any

from tokentrail.call import Answer
from tokentrail.instrumentation.calls import COUNTS, ended_by, sound
from tokentrail.providers import Chunks, Exchange, Reading
from tokentrail.recording import recorder
from tokentrail.recording.runtime import current, internal_error

__all__ = ["Following", "follow", "follow_async", "follow_body", "watch_close"]


class Following:
    """One stream, or unread response, under way. `stepping`: a stand-in waits for the SDK's next chunk, or the body's next bytes."""

    __slots__ = ("__weakref__", "chunks", "context", "exchange", "replaced", "response", "stepping", "streams")

    def __init__(self, exchange: Exchange, chunks: Chunks) -> None:
        self.exchange = exchange
        self.chunks = chunks
        self.context: Context | None = None if exchange.call is not None else copy_context()  # who spends is who made the call, not who reads
        self.response: Any = None  # whose methods are ours while this is open: …
        self.replaced: tuple[str, ...] = ()  # … these
        self.stepping = False
        self.streams = current.runtime.streams
        self.streams.add(self)

    def end(self, *, exhausted: bool = False, error: BaseException | None = None, later: bool = False) -> None:
        """Record the stream, if nobody has, with what its chunks have said until now."""
        if not self._take():
            return
        reading: Reading | None
        try:
            reading = self.chunks.reading(exhausted=exhausted)
        except Exception as failure:
            internal_error("stream", failure)
            reading = (Answer(), "partial")
        self._record(reading, error, later=later)

    def end_with(self, reading: Reading | None) -> None:
        """Record what came whole, if nobody has."""
        if self._take():
            self._record(reading)

    def _take(self) -> bool:
        """Be the one who records this; leave the response as the SDK made it."""
        self.release()
        return self.streams.take(self)

    def release(self) -> None:
        """Give the response its own methods back."""
        response, self.response = self.response, None
        if response is not None:
            for name in self.replaced:
                vars(response).pop(name, None)

    def _record(self, reading: Reading | None, error: BaseException | None = None, *, later: bool = False) -> None:
        if reading is None:
            return
        answer, ended = reading
        if error is not None and ended_by(error) == "error":  # else what came until then is partial
            ended = "error"
            self._add_what_the_error_says(answer, error)
        call = self.exchange.call or self.begin()
        if call is None:
            return
        answer = sound(answer, self.exchange.attempts)
        if later:
            call.finish_later(answer, ended)
        else:
            call.finish(answer, ended, error)

    def _add_what_the_error_says(self, answer: Answer, error: BaseException) -> None:
        """Take the usage that an error inside a stream may carry."""
        try:
            stated = self.exchange.read_error(self.exchange, error) if self.exchange.read_error is not None else None
            if stated is not None and answer.input_tokens is None and answer.output_tokens is None:
                for name in COUNTS:
                    setattr(answer, name, getattr(stated, name))
        except Exception as failure:
            internal_error("stream", failure)

    def begin(self) -> recorder.Call | None:
        """Start a call whose start had to wait, as if it were where the SDK's function was called."""
        if self.exchange.call is None and self.context is not None:
            self.exchange.call = self.context.run(recorder.start, self.exchange.request)
        return self.exchange.call

    def __del__(self) -> None:
        try:
            self.end(later=True)
        except Exception as failure:
            internal_error("stream", failure)


def follow(inner: Iterator[Any], following: Following) -> Generator[Any, None, None]:
    """Stand in for the SDK's iterator: the same chunks, without those that only we asked for."""
    absorb, first = following.chunks.absorb, True
    following.stepping = True
    try:
        for chunk in inner:
            try:
                if first:
                    first = False
                    if following.exchange.call is not None:
                        following.exchange.call.first_chunk()
                if absorb(chunk):
                    continue
            except Exception as failure:
                internal_error("stream", failure)
            following.stepping = False
            yield chunk
            following.stepping = True
    except GeneratorExit:
        raise  # dropped: `Following.__del__` is next
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


async def follow_async(inner: AsyncIterator[Any], following: Following) -> AsyncGenerator[Any, None]:
    """Do the same for an async stream."""
    absorb, first = following.chunks.absorb, True
    following.stepping = True
    try:
        async for chunk in inner:
            try:
                if first:
                    first = False
                    if following.exchange.call is not None:
                        following.exchange.call.first_chunk()
                if absorb(chunk):
                    continue
            except Exception as failure:
                internal_error("stream", failure)
            following.stepping = False
            yield chunk
            following.stepping = True
    except GeneratorExit:
        following.stepping = False  # dropped while it waited: nobody steps any more
        raise
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


def watch_close(response: Any, following: Following, *, is_async: bool) -> None:
    """Let an HTTP response tell when the caller closes it, between two steps.

    The response is held, not weakly referred to: the SDK closes it from finalizers too.
    """
    following.response = response
    following.replaced = ("aclose",) if is_async else ("close",)
    if is_async:
        aclose = response.aclose

        async def aclose_and_tell() -> None:
            try:
                await aclose()
            finally:
                _tell(following)

        response.aclose = aclose_and_tell
    else:
        close = response.close

        def close_and_tell() -> None:
            try:
                close()
            finally:
                _tell(following)

        response.close = close_and_tell


def _tell(following: Following) -> None:
    try:
        if not following.stepping:
            following.end()
    except Exception as failure:
        internal_error("stream", failure)


def follow_body(response: Any, following: Following, *, is_async: bool) -> None:
    """Follow the bytes of a response that nobody has read, however the caller reads them: `read()`, lines and texts all come down to `iter_bytes`.

    The bytes are absorbed as chunks, decoded (`iter_bytes`); of a caller who reads `iter_raw` only the end is seen.
    """
    watch_close(response, following, is_async=is_async)
    name, stand_in = ("aiter_bytes", _parts_async) if is_async else ("iter_bytes", _parts)
    parts = getattr(response, name)
    raw_name = name.replace("bytes", "raw")
    raw = getattr(response, raw_name)

    def of_bytes(*args: Any, **kwargs: Any) -> Any:
        return stand_in(parts(*args, **kwargs), following, following.chunks.absorb)

    def of_raw(*args: Any, **kwargs: Any) -> Any:
        if following.stepping:
            return raw(*args, **kwargs)  # `iter_bytes` asks
        return stand_in(raw(*args, **kwargs), following, _encoded)

    setattr(response, name, of_bytes)
    setattr(response, raw_name, of_raw)
    following.replaced += (name, raw_name)


def _encoded(_part: bytes) -> None:
    """Bytes as they came over the wire, maybe compressed: not looked into."""


def _parts(inner: Iterator[bytes], following: Following, absorb: Any) -> Generator[bytes, None, None]:
    following.stepping = True
    try:
        for part in inner:
            _absorb_part(following, absorb, part)
            following.stepping = False
            yield part
            following.stepping = True
    except GeneratorExit:
        raise  # left: whoever reads closes the response next, or drops it
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


async def _parts_async(inner: AsyncIterator[bytes], following: Following, absorb: Any) -> AsyncGenerator[bytes, None]:
    following.stepping = True
    try:
        async for part in inner:
            _absorb_part(following, absorb, part)
            following.stepping = False
            yield part
            following.stepping = True
    except GeneratorExit:
        following.stepping = False
        raise
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


def _absorb_part(following: Following, absorb: Any, part: bytes) -> None:
    try:
        if following.exchange.call is not None:
            following.exchange.call.first_chunk()
        absorb(part)
    except Exception as failure:
        internal_error("stream", failure)
