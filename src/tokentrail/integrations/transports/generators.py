"""Streams that an SDK returns as a generator, sync or async: a generator of the same names replaces the SDK's.

The SDK sends the request with the first step of its generator, so the call starts then; a stream that is never read spends nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextvars import Context, copy_context
from itertools import chain
from typing import Any, Final, TypeVar

from tokentrail.frames import passed_over
from tokentrail.instrumentation.around import place
from tokentrail.instrumentation.contract import Chunks, Exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.recording import recorder

__all__ = ["deliver", "deliver_async"]

T = TypeVar("T")


def deliver(chunks: Callable[[], Chunks], exchange: Exchange, stream: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Returns a generator that replaces the SDK's, with the same names: no other attribute of a generator is visible."""
    steps = chain.from_iterable(_started(stream, exchange, copy_context()))  # in C: generators inside each other cost a call each for a chunk
    followed = FollowedStream(exchange, chunks())
    followed.context = None  # the first step starts the call, nothing else
    return _rename_like(follow(steps, followed), stream)


def deliver_async(chunks: Callable[[], Chunks], exchange: Exchange, stream: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Returns an async generator that replaces the SDK's, with the same names."""
    followed = FollowedStream(exchange, chunks())
    followed.context = None
    return _rename_like(follow_async(_Starting(stream, exchange), followed, aclose=stream.aclose), stream)


def _rename_like(generator: T, original: Any) -> T:
    for name in ("__name__", "__qualname__"):
        setattr(generator, name, getattr(original, name))
    return generator


@passed_over
def _started(stream: Generator[Any, None, None], exchange: Exchange, context: Context) -> Generator[Iterable[Any], None, None]:
    """Starts the call; yields the first chunk, then the rest. The first step sends the request, and is the exchange's: tries are counted."""
    exchange.call = context.run(recorder.start, exchange.request)  # attribution is that of the call, not of the reader
    held = [exchange]
    token = place.set(held)
    try:
        first = next(stream, _END)
    finally:
        del held[:]
        place.reset(token)
    if first is not _END:
        yield (first,)
        yield stream


_END: Final = object()


class _Starting:
    """An async generator whose iteration starts the call: an object, since a generator around the SDK's would be stepped for each chunk."""

    def __init__(self, stream: AsyncGenerator[Any, None], exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._context = copy_context()

    def __aiter__(self) -> AsyncGenerator[Any, None]:
        self._exchange.call = self._context.run(recorder.start, self._exchange.request)
        return self._stream
