"""Follows a stream while the caller reads the stream, and records the stream exactly once, however the stream ends.

| the stream                              | the end is detected by                                                          |
|-----------------------------------------|---------------------------------------------------------------------------------|
| is read to its end, fails, is cancelled | the wrapper: a generator in place of the SDK's iterator, or of the body's bytes |
| is closed (`close()`, `with`)           | the response's `close`, which every helper of an SDK calls in the end           |
| is dropped, read or not                 | `FollowedStream.__del__`: only the wrapper and the response refer to the object |
| is still open when the process ends     | `OpenStreams.end_all`, before the journal is closed                             |

SDKs and HTTP clients also close a response in their own cleanup: some before the SDK's iterator ends, some while the iterator is released. Such a
close is ignored: while a wrapper is inside a step, the end of the wrapper gives the better record (complete, or the error); a close between two steps
is the caller's. The caller keeps the SDK's own objects: only the iterator inside them is replaced.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterator
from contextvars import Context, copy_context
from typing import Any

from tokentrail.frames import passed_over
from tokentrail.instrumentation.around import COUNTS, ended_by, sanitized
from tokentrail.instrumentation.contract import Answer, Call, Chunks, Exchange, Reading
from tokentrail.recording import recorder
from tokentrail.recording.runtime import current, internal_error

__all__ = ["FollowedStream", "follow", "follow_async", "follow_body", "watch_close"]


class FollowedStream:
    """A stream, or a response that is not read yet, until the recording. `stepping`: a wrapper waits for the SDK's next chunk or the next bytes."""

    __slots__ = ("__weakref__", "chunks", "context", "exchange", "replaced", "response", "stepping", "streams")

    def __init__(self, exchange: Exchange, chunks: Chunks) -> None:
        self.exchange = exchange
        self.chunks = chunks
        self.context: Context | None = None if exchange.call is not None else copy_context()  # attribution is that of the call, not of the reader
        self.response: Any = None  # the response whose methods are replaced while the stream is open
        self.replaced: tuple[str, ...] = ()  # the names of those methods
        self.stepping = False
        self.streams = current.runtime.streams.refs
        self.streams[id(self)] = weakref.ref(self)

    def end(self, *, exhausted: bool = False, error: BaseException | None = None, later: bool = False) -> None:
        """Records the stream with the counts of the chunks so far, unless the stream is recorded already."""
        if not self._claim():
            return
        reading: Reading | None
        try:
            reading = self.chunks.reading(exhausted=exhausted)
        except Exception as failure:
            internal_error("stream", failure)
            reading = (Answer(), "partial")
        self._record(reading, error, later=later)

    def end_with(self, reading: Reading | None) -> None:
        """Records an answer that was read as a whole, unless the answer is recorded already."""
        if self._claim():
            self._record(reading)

    def _claim(self) -> bool:
        """Restores the response; returns True for the first caller only, which then records the stream."""
        self.release()
        return self.streams.pop(id(self), None) is not None

    def release(self) -> None:
        """Restores the methods of the response."""
        response, self.response = self.response, None
        if response is not None:
            for name in self.replaced:
                vars(response).pop(name, None)

    def _record(self, reading: Reading | None, error: BaseException | None = None, *, later: bool = False) -> None:
        if reading is None:
            return
        is_error = error is not None and ended_by(error) == "error"  # any other exception leaves a partial answer
        try:
            answer, ended = reading  # within the guard: an integration may return anything
            if error is not None and is_error and ended != "created":
                ended = "error"
                self._add_counts_of_error(answer, error)
            answer = sanitized(answer, self.exchange.attempts)
        except Exception as failure:
            internal_error("stream", failure)
            answer, ended = sanitized(Answer(), self.exchange.attempts), "error" if is_error else "partial"
        call = self.exchange.call or self.start_call()
        if call is None:
            return
        if later:
            call.finish_later(answer, ended)
        else:
            call.finish(answer, ended, error)

    def _add_counts_of_error(self, answer: Answer, error: BaseException) -> None:
        """Adds the counts that an error inside a stream may carry."""
        try:
            stated = self.exchange.read_error(self.exchange, error) if self.exchange.read_error is not None else None
            if stated is not None and answer.input_tokens is None and answer.output_tokens is None:
                for name in COUNTS:
                    setattr(answer, name, getattr(stated, name))
        except Exception as failure:
            internal_error("stream", failure)

    def start_call(self) -> Call | None:
        """Starts a deferred call in the context in which the SDK's function was called."""
        if self.exchange.call is None and self.context is not None:
            self.exchange.call = self.context.run(recorder.start, self.exchange.request)
        return self.exchange.call

    def __del__(self) -> None:
        try:
            self.end(later=True)
        except Exception as failure:
            internal_error("stream", failure)


@passed_over
def follow(inner: Iterator[Any], followed: FollowedStream, absorb: Callable[[Any], Any] | None = None) -> Generator[Any, None, None]:
    """Wraps the SDK's iterator: yields the same chunks, without those that only tokentrail requested. `absorb` instead of the stream's own."""
    absorb, first = absorb or followed.chunks.absorb, True
    followed.stepping = True
    try:
        for chunk in inner:
            try:
                if first:
                    first = False
                    if followed.exchange.call is not None:
                        followed.exchange.call.first_chunk()
                if absorb(chunk):
                    continue
            except Exception as failure:
                internal_error("stream", failure)
            followed.stepping = False
            yield chunk
            followed.stepping = True
    except GeneratorExit:
        raise  # the stream was dropped: `FollowedStream.__del__` runs next
    except BaseException as error:
        followed.end(error=error)
        raise
    followed.end(exhausted=True)


@passed_over
async def follow_async(
    inner: AsyncIterable[Any],
    followed: FollowedStream,
    absorb: Callable[[Any], Any] | None = None,
    *,
    aclose: Callable[[], Awaitable[None]] | None = None,
) -> AsyncGenerator[Any, None]:
    """Wraps the SDK's async iterator in the same way. `aclose` is awaited at the end, as closing the SDK's own generator would."""
    absorb, first = absorb or followed.chunks.absorb, True
    followed.stepping = True
    try:
        async for chunk in inner:
            try:
                if first:
                    first = False
                    if followed.exchange.call is not None:
                        followed.exchange.call.first_chunk()
                if absorb(chunk):
                    continue
            except Exception as failure:
                internal_error("stream", failure)
            followed.stepping = False
            yield chunk
            followed.stepping = True
    except GeneratorExit:
        followed.stepping = False  # the stream was dropped while the wrapper waited: no step is under way any more
        raise
    except BaseException as error:
        followed.end(error=error)
        raise
    else:
        followed.end(exhausted=True)
    finally:
        del followed  # a stream that was left is recorded before `aclose` waits
        if aclose is not None:
            await aclose()


@passed_over
def watch_close(response: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Replaces `close` of an HTTP response, so that a close between two steps records the stream.

    The reference to the response is a strong one, because SDKs also close a response from finalizers.
    """
    followed.response = response
    followed.replaced = ("aclose",) if is_async else ("close",)
    if is_async:
        aclose = response.aclose

        async def aclose_and_record() -> None:
            try:
                await aclose()
            finally:
                _record_close(followed)

        response.aclose = aclose_and_record
    else:
        close = response.close

        def close_and_record() -> None:
            try:
                close()
            finally:
                _record_close(followed)

        response.close = close_and_record


def _record_close(followed: FollowedStream) -> None:
    try:
        if not followed.stepping:
            followed.end()
    except Exception as failure:
        internal_error("stream", failure)


@passed_over
def follow_body(response: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Follows the bytes of an unread response, however the caller reads the body: `read()`, lines and texts all call `iter_bytes`.

    Decoded bytes (`iter_bytes`) are absorbed as chunks, and the bytes of `iter_raw`, unless the server has compressed them.
    """
    watch_close(response, followed, is_async=is_async)
    name, wrap = ("aiter_bytes", follow_async) if is_async else ("iter_bytes", follow)
    parts = getattr(response, name)
    raw_name = name.replace("bytes", "raw")
    raw = getattr(response, raw_name)

    def follow_bytes(*args: Any, **kwargs: Any) -> Any:
        return wrap(parts(*args, **kwargs), followed)

    def follow_raw(*args: Any, **kwargs: Any) -> Any:
        if followed.stepping:
            return raw(*args, **kwargs)  # called by `iter_bytes`
        is_encoded = bool(response.headers.get("content-encoding"))
        return wrap(raw(*args, **kwargs), followed, _ignore_encoded if is_encoded else None)

    setattr(response, name, follow_bytes)
    setattr(response, raw_name, follow_raw)
    followed.replaced += (name, raw_name)


def _ignore_encoded(_part: bytes) -> None:
    """Ignores bytes as the server sent them, which may be compressed."""
