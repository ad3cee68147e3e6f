"""Streams that an SDK returns as a generator, sync or async: a generator of the same names replaces the SDK's.

The SDK sends the request with the first step of its generator, so the call starts then; a stream that is never read spends nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar

from tokentrail.instrumentation.around import under_way
from tokentrail.instrumentation.contract import Chunks, Exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.recording import recorder

__all__ = ["deliver", "deliver_async"]

T = TypeVar("T")


def deliver(chunks: Callable[[], Chunks], exchange: Exchange, stream: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Returns a generator that replaces the SDK's, with the same names: no other attribute of a generator is visible."""
    return _rename_like(_steps(stream, exchange, chunks, copy_context()), stream)


def deliver_async(chunks: Callable[[], Chunks], exchange: Exchange, stream: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Returns an async generator that replaces the SDK's, with the same names."""
    return _rename_like(_steps_async(stream, exchange, chunks, copy_context()), stream)


def _rename_like(generator: T, original: Any) -> T:
    for name in ("__name__", "__qualname__"):
        setattr(generator, name, getattr(original, name))
    return generator


def _steps(stream: Generator[Any, None, None], exchange: Exchange, chunks: Callable[[], Chunks], context: Context) -> Generator[Any, None, None]:
    exchange.call = context.run(recorder.start, exchange.request)  # attribution is that of the call, not of the reader
    if exchange.call is None:
        yield from stream
    else:
        yield from follow(_sent_under(exchange, stream), FollowedStream(exchange, chunks()))


def _sent_under(exchange: Exchange, stream: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Yields the stream's chunks; its first step, which sends the request, is the exchange's, so that the SDK's tries are counted."""
    token = under_way.set(exchange)
    try:
        first = next(stream, _END)
    finally:
        under_way.reset(token)
    if first is not _END:
        yield first
        yield from stream


_END: Final = object()


async def _steps_async(
    stream: AsyncGenerator[Any, None], exchange: Exchange, chunks: Callable[[], Chunks], context: Context
) -> AsyncGenerator[Any, None]:
    exchange.call = context.run(recorder.start, exchange.request)
    async with aclosing(stream):  # as closing the SDK's own generator would
        followed = stream if exchange.call is None else follow_async(stream, FollowedStream(exchange, chunks()))
        async with aclosing(followed):
            async for chunk in followed:
                yield chunk
