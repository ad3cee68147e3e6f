"""Ollama's SDK: all methods, and the functions of the module (`ollama.chat` is bound to a client at import), call `Client._request`.

_request(cls, method, url, json=…, stream=…)      returns a model, or a generator, sync or async
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar

from tokentrail.instrumentation.contract import Chunks, Endpoint, Exchange, Hook, Request
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder

__all__ = ["hooks_of"]

T = TypeVar("T")


def hooks_of(module: str, provider: str, paths: Mapping[str, Endpoint]) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the clients, `provider` is the default for unknown hosts."""
    return (
        Hook(module, "Client._request", opens=partial(_open_request, provider, paths, _deliver)),
        Hook(module, "AsyncClient._request", opens=partial(_open_request, provider, paths, _deliver_async), is_async=True),
    )


def _open_request(
    provider: str, paths: Mapping[str, Endpoint], deliver: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    endpoint = paths.get(args[2]) if len(args) > 2 else None  # noqa: PLR2004 - cls, method, url
    body = kwargs.get("json")
    if endpoint is None or not isinstance(body, dict) or (endpoint.spends is not None and not endpoint.spends(body)):
        return None
    server = server_of(client._client.base_url, provider)  # noqa: SLF001 - the SDK has no public attribute for the URL
    streams = bool(kwargs.get("stream"))
    exchange = Exchange(
        request=Request(
            provider=server.provider,
            endpoint=endpoint.name,
            gen_ai_operation=endpoint.gen_ai_operation,
            token_type=endpoint.token_type,
            operation=endpoint.operation,
            model=body.get("model") or "",
            stream=streams,
            server_address=server.address,
            server_port=server.port,
            texts=endpoint.texts(body),
            sends=True,
        ),
        args=args,
        kwargs=kwargs,
        read=endpoint.read,
        read_error=endpoint.read_error,
        deferred=streams,  # the SDK sends the request when the first chunk is read; a stream that is never read spends nothing
    )
    if streams and endpoint.chunks is not None:
        exchange.deliver = partial(deliver, partial(endpoint.chunks, body, False))
    return exchange


def _deliver(chunks: Callable[[], Chunks], exchange: Exchange, stream: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Returns a generator that replaces the SDK's, with the same names: no other attribute of a generator is visible."""
    return _rename_like(_steps(stream, exchange, chunks, copy_context()), stream)


def _deliver_async(chunks: Callable[[], Chunks], exchange: Exchange, stream: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
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
        yield from follow(stream, FollowedStream(exchange, chunks()))


async def _steps_async(
    stream: AsyncGenerator[Any, None], exchange: Exchange, chunks: Callable[[], Chunks], context: Context
) -> AsyncGenerator[Any, None]:
    exchange.call = context.run(recorder.start, exchange.request)
    async with aclosing(stream):  # as closing the SDK's own generator would
        followed = stream if exchange.call is None else follow_async(stream, FollowedStream(exchange, chunks()))
        async with aclosing(followed):
            async for chunk in followed:
                yield chunk
