"""Reads or follows the results of a Stainless client's `request`: streams, raw responses, HTTP responses, the types of `cast_to`.

The result decides, not the request: a raw response (`with_raw_response`) is read at once if its body is loaded, however the SDK marks raw responses
(openai's older wrapper sends `true` in the header, all newer ones `raw`); an unread body is followed while the caller reads the body.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tokentrail.frames import passed_over
from tokentrail.instrumentation.contract import Chunks, Exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, follow_body, watch_close
from tokentrail.integrations.transports.bodies import BodyReader, MediaReader, is_media
from tokentrail.integrations.transports.http_errors import content_of

__all__ = ["deliver"]


def deliver(chunks: Chunks | None, is_async: bool, exchange: Exchange, answer: Any) -> Any:
    """Reads or follows the SDK's result; the caller gets the SDK's own object. `chunks` collects a stream, if the endpoint has streams."""
    if chunks is not None and hasattr(answer, "_iterator"):
        _follow(answer, FollowedStream(exchange, chunks), is_async=is_async)
        return answer
    response = getattr(answer, "http_response", None) or getattr(answer, "response", answer)  # the latter: openai's object for speech
    is_http = hasattr(response, "is_stream_consumed")
    reader = MediaReader() if is_http and is_media(response) else BodyReader(exchange.read, chunks, deferred=exchange.deferred)
    followed = FollowedStream(exchange, reader)
    value = content_of(response) if is_http else answer
    if is_http and value is None:
        follow_body(response, followed, is_async=is_async)
        if chunks is not None and exchange.request.stream and hasattr(answer, "parse"):
            _watch_parse(answer, followed, chunks, is_async=is_async)
    else:
        followed.end_with(reader.read_whole(value))
    return answer


def _follow(stream: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Wraps the SDK's iterator; the stream stays the SDK's own object."""
    inner = stream._iterator  # noqa: SLF001 - the only attribute that `for`, `next()` and all helpers read from
    stream._iterator = follow_async(inner, followed) if is_async else follow(inner, followed)  # noqa: SLF001
    watch_close(stream.response, followed, is_async=is_async)


@passed_over
def _watch_parse(raw: Any, followed: FollowedStream, chunks: Chunks, *, is_async: bool) -> None:
    """Replaces `parse` of a raw response, to follow the parsed stream. The first call removes the replacement, which refers to the response."""
    parse = raw.parse

    def wrap_parsed(parsed: Any) -> Any:
        vars(raw).pop("parse", None)
        if followed.chunks is not chunks and hasattr(parsed, "_iterator"):
            inner = parsed._iterator  # noqa: SLF001
            parsed._iterator = _follow_parsed_async(parsed, inner, followed, chunks) if is_async else _follow_parsed(parsed, inner, followed, chunks)  # noqa: SLF001
        return parsed

    if inspect.iscoroutinefunction(parse):

        async def parse_async(*args: Any, **kwargs: Any) -> Any:
            return wrap_parsed(await parse(*args, **kwargs))

        raw.parse = parse_async
    else:

        def parse_sync(*args: Any, **kwargs: Any) -> Any:
            return wrap_parsed(parse(*args, **kwargs))

        raw.parse = parse_sync


@passed_over
def _follow_parsed(parsed: Any, inner: Any, followed: FollowedStream, chunks: Chunks) -> Iterator[Any]:
    """Switches from the bytes to the parsed stream at the first step: a tracer may parse a body that the application reads as lines."""
    _switch_to(parsed, followed, chunks, is_async=False)
    yield from follow(inner, followed)


@passed_over
async def _follow_parsed_async(parsed: Any, inner: Any, followed: FollowedStream, chunks: Chunks) -> AsyncIterator[Any]:
    _switch_to(parsed, followed, chunks, is_async=True)
    async for chunk in follow_async(inner, followed):
        yield chunk


def _switch_to(parsed: Any, followed: FollowedStream, chunks: Chunks, *, is_async: bool) -> None:
    followed.release()
    followed.chunks = chunks
    watch_close(parsed.response, followed, is_async=is_async)
