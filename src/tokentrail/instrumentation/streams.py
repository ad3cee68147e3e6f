"""Following a stream while the caller reads it, so that it is recorded exactly once however it ends.

| the stream                          | who notices                                                                   |
|-------------------------------------|-------------------------------------------------------------------------------|
| is read to its end, fails, is cancelled | the generator that stands in for the SDK's iterator                       |
| is closed (`close()`, `with`)       | the response's `close`, which all of an SDK's helpers come down to            |
| is dropped, read or not             | `Following.__del__`: only the stand-in and the response hold it               |
| is still open when the process ends | `end_all`, before the journal is closed                                       |

The caller keeps the SDK's own objects: only the iterator inside them is another one.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextvars import Context, copy_context
from typing import Any

from tokentrail import ledger, recorder
from tokentrail.call import Answer
from tokentrail.instrumentation.calls import COUNTS, ended_by, sound
from tokentrail.providers import Chunks, Exchange, Reading

__all__ = ["Following", "any_open", "end_all", "follow", "follow_async", "watch_close", "watch_close_async"]

_open: dict[int, weakref.ref[Following]] = {}
"""The streams that are not recorded yet. Whoever takes one out of here records it: that is what makes it once. A forked child owns none."""


class Following:
    """One stream, or unread response, under way. `chunks` is None until a raw response is parsed into a stream."""

    __slots__ = ("__weakref__", "chunks", "context", "exchange", "inner", "response", "was_consumed")

    def __init__(self, exchange: Exchange, chunks: Chunks | None, inner: Any = None) -> None:
        self.exchange = exchange
        self.chunks = chunks
        self.inner = inner  # the SDK's generator: whether it runs tells who closes the response
        self.context: Context | None = None if exchange.call is not None else copy_context()  # who spends is who made the call, not who reads
        self.was_consumed = False
        self.response: Any = None  # whose `close` is ours while this is open
        _open[id(self)] = weakref.ref(self)

    def end(self, *, exhausted: bool = False, error: BaseException | None = None, later: bool = False) -> None:
        """Record the stream, if nobody has, with what its chunks have said until now."""
        if not self._take():
            return
        reading: Reading | None
        try:
            if self.chunks is not None:
                reading = self.chunks.reading(exhausted=exhausted)
            else:
                reading = (Answer(), "complete" if self.was_consumed else "partial")
        except Exception as failure:
            recorder.internal_error("stream", failure)
            reading = (Answer(), "partial")
        self._record(reading, error, later=later)

    def _take(self) -> bool:
        """Be the one who records this; leave the response as the SDK made it."""
        response, self.response = self.response, None
        if response is not None:
            for name in ("close", "aclose"):
                vars(response).pop(name, None)
        return _open.pop(id(self), None) is not None

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
            recorder.internal_error("stream", failure)

    def begin(self) -> recorder.Call | None:
        """Start a call whose start had to wait, as if it were where the SDK's function was called."""
        if self.exchange.call is None and self.context is not None:
            self.exchange.call = self.context.run(recorder.start, self.exchange.request)
        return self.exchange.call

    def closed(self, response: Any) -> None:
        """Note that the response was closed by the caller."""
        if self.chunks is not None:
            self.end()
            return
        read = _has_body(response)
        if not read and response.is_stream_consumed and not self.was_consumed:
            self.was_consumed = True  # the HTTP client closes at the body's end, and may be about to keep the body: it is closed again, or dropped
            return
        if self._take():
            self._record(self._unparsed(response) if read else (Answer(), "complete" if self.was_consumed else "partial"))

    def _unparsed(self, response: Any) -> Reading | None:
        """Read a response whose body the caller has, in whatever way he parses it."""
        try:
            if self.exchange.read_raw is not None:
                return self.exchange.read_raw(self.exchange, response)
        except Exception as failure:
            recorder.internal_error("stream", failure)
        return Answer(), "complete"

    def __del__(self) -> None:
        try:
            self.end(later=True)
        except Exception as failure:
            recorder.internal_error("stream", failure)


def _has_body(response: Any) -> bool:
    try:
        return response.content is not None
    except Exception:
        return False  # httpx.ResponseNotRead


def follow(inner: Iterator[Any], following: Following) -> Generator[Any, None, None]:
    """Stand in for the SDK's iterator: the same chunks, without those that only we asked for."""
    absorb, first = following.chunks.absorb, True  # type: ignore[union-attr]
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
                recorder.internal_error("stream", failure)
            yield chunk
    except GeneratorExit:
        raise  # dropped: `Following.__del__` is next
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


async def follow_async(inner: AsyncIterator[Any], following: Following) -> AsyncGenerator[Any, None]:
    """Do the same for an async stream."""
    absorb, first = following.chunks.absorb, True  # type: ignore[union-attr]
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
                recorder.internal_error("stream", failure)
            yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        following.end(error=error)
        raise
    following.end(exhausted=True)


def watch_close(response: Any, following: Following) -> None:
    """Let a sync HTTP response tell when the caller closes it. While the SDK's generator runs, it is the one that closes: its own end says more.

    The response is held, not weakly referred to: the SDK closes it from finalizers too.
    """
    close = response.close
    following.response = response

    def close_and_tell() -> None:
        try:
            close()
        finally:
            if following.inner is None or not following.inner.gi_running:
                _tell(following, response)

    response.close = close_and_tell


def watch_close_async(response: Any, following: Following) -> None:
    """Do the same for an async HTTP response."""
    aclose = response.aclose
    following.response = response

    async def aclose_and_tell() -> None:
        try:
            await aclose()
        finally:
            if following.inner is None or not following.inner.ag_running:
                _tell(following, response)

    response.aclose = aclose_and_tell


def _tell(following: Following, response: Any) -> None:
    try:
        following.closed(response)
    except Exception as failure:
        recorder.internal_error("stream", failure)


def any_open() -> bool:
    """Whether there are streams that are not recorded yet: read by nobody any more, perhaps, and waiting for the garbage collector."""
    return bool(_open)


def end_all() -> None:
    """Record the streams that are still open, with what is known: the process ends."""
    for ref in list(_open.values()):
        following = ref()
        if following is not None:
            following.end()


os.register_at_fork(after_in_child=_open.clear)
ledger.before_close(end_all)
atexit.register(ledger.close)  # where nothing was recorded before, only this writes what `end_all` finds
