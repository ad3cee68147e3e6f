"""What a Stainless client's `request` returns: streams, raw responses, HTTP responses, whatever a caller casts to; and how each is read or followed.

What comes back decides, not what was asked for: a raw response (`with_raw_response`) is read at once if its body is there, however its SDK marks it
(openai's older wrapper sends `true` in the header, all newer ones `raw`); a body that is still to be read is followed while the caller reads it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tokentrail.instrumentation.contract import Chunks, Exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, follow_body, watch_close
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.integrations.transports.http_errors import http_errors

__all__ = ["deliver"]


def deliver(chunks: Chunks | None, is_async: bool, exchange: Exchange, answer: Any) -> Any:
    """Read or follow what the SDK returned; the caller gets the SDK's own object. `chunks` gathers a stream of this endpoint, if there may be one."""
    if chunks is not None and hasattr(answer, "_iterator"):
        _follow(answer, FollowedStream(exchange, chunks), is_async=is_async)
        return answer
    reader = BodyReader(exchange.read, chunks, deferred=exchange.deferred)
    followed = FollowedStream(exchange, reader)
    response = getattr(answer, "http_response", answer)
    is_http = hasattr(response, "is_stream_consumed")
    value = _content(response) if is_http else answer
    if is_http and value is None:
        follow_body(response, followed, is_async=is_async)
        if chunks is not None and exchange.request.stream and hasattr(answer, "parse"):
            _watch_parse(answer, followed, chunks, is_async=is_async)
    else:
        followed.end_with(reader.whole(value))
    return answer


def _follow(stream: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Put a stand-in between the caller and the SDK's iterator; the stream stays the SDK's own object."""
    inner = stream._iterator  # noqa: SLF001 - the one place through which `for`, `next()` and all helpers read
    stream._iterator = follow_async(inner, followed) if is_async else follow(inner, followed)  # noqa: SLF001
    watch_close(stream.response, followed, is_async=is_async)


def _content(response: Any) -> bytes | None:
    """The body of an HTTP response that has been read; `None` if it is still to be read, or was read in pieces."""
    try:
        return bytes(response.content)
    except http_errors("ResponseNotRead"):
        return None


def _watch_parse(raw: Any, followed: FollowedStream, chunks: Chunks, *, is_async: bool) -> None:
    """Follow the stream that a raw response is parsed into. The replaced `parse` is removed then, and holds the response no longer."""
    parse = raw.parse

    def adopt(parsed: Any) -> Any:
        vars(raw).pop("parse", None)
        if followed.chunks is not chunks and hasattr(parsed, "_iterator"):
            inner = parsed._iterator  # noqa: SLF001
            parsed._iterator = _once_read_async(parsed, inner, followed, chunks) if is_async else _once_read(parsed, inner, followed, chunks)  # noqa: SLF001
        return parsed

    if inspect.iscoroutinefunction(parse):

        async def parse_async(*args: Any, **kwargs: Any) -> Any:
            return adopt(await parse(*args, **kwargs))

        raw.parse = parse_async
    else:

        def parse_sync(*args: Any, **kwargs: Any) -> Any:
            return adopt(parse(*args, **kwargs))

        raw.parse = parse_sync


def _once_read(parsed: Any, inner: Any, followed: FollowedStream, chunks: Chunks) -> Iterator[Any]:
    """Turn from the bytes to the parsed stream at the stream's first step: a tracer may parse what the application reads as lines."""
    _turn(parsed, followed, chunks, is_async=False)
    yield from follow(inner, followed)


async def _once_read_async(parsed: Any, inner: Any, followed: FollowedStream, chunks: Chunks) -> AsyncIterator[Any]:
    _turn(parsed, followed, chunks, is_async=True)
    async for chunk in follow_async(inner, followed):
        yield chunk


def _turn(parsed: Any, followed: FollowedStream, chunks: Chunks, *, is_async: bool) -> None:
    followed.release()
    followed.chunks = chunks
    watch_close(parsed.response, followed, is_async=is_async)
