"""Ollama's SDK: all methods, and the functions of the module (`ollama.chat` is bound to a client at import), call `Client._request`.

_request(cls, method, url, json=…, stream=…)      returns a model, or a generator, sync or async
cls(**fields)                                     makes each answer and chunk from the fields of its JSON, of which the models drop some
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Chunks, Endpoint, Exchange, Hook, Reading
from tokentrail.integrations.shapes.ollama import CACHED
from tokentrail.integrations.transports.generators import deliver, deliver_async
from tokentrail.providers.lookup import server_of

__all__ = ["hooks_of"]


def hooks_of(module: str, provider: str, paths: Mapping[str, Endpoint]) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the clients, `provider` is the default for unknown hosts."""
    return (
        Hook(module, "Client._request", opens=partial(_open_request, provider, paths, deliver)),
        Hook(module, "AsyncClient._request", opens=partial(_open_request, provider, paths, deliver_async), is_async=True),
    )


def _open_request(
    provider: str, paths: Mapping[str, Endpoint], delivers: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    endpoint = paths.get(args[2]) if len(args) > 2 else None  # noqa: PLR2004 - cls, method, url
    body = kwargs.get("json")
    if endpoint is None or not isinstance(body, dict) or (endpoint.spends is not None and not endpoint.spends(body)):
        return None
    server = server_of(client._client.base_url, provider)  # noqa: SLF001 - the SDK has no public attribute for the URL
    streams = bool(kwargs.get("stream"))
    kept = _Kept(args[0])
    exchange = Exchange(
        request=endpoint.request(server, body, body.get("model") or "", streams),
        args=(kept, *args[1:]),
        kwargs=kwargs,
        read=partial(_read, kept, endpoint.read),
        read_error=endpoint.read_error,
        deferred=streams,  # the SDK sends the request when the first chunk is read; a stream that is never read spends nothing
    )
    if streams and endpoint.chunks is not None:
        exchange.deliver = partial(delivers, partial(_KeptChunks, kept, endpoint.chunks, body))
    return exchange


class _Kept:
    """Stands in for the SDK's class of an answer: makes the answer, and keeps the count that the class drops."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls
        self.cached: Any = None
        self.__module__, self.__qualname__ = cls.__module__, cls.__qualname__  # Python names the called object in a `TypeError`

    def __call__(self, **fields: Any) -> Any:
        if CACHED in fields:
            self.cached = fields[CACHED]
        return self._cls(**fields)


def _read(kept: _Kept, read: Any, response: Any) -> Reading:
    reading: Reading = read(response)
    reading[0].cache_read_tokens = kept.cached
    return reading


class _KeptChunks:
    """The chunks of a stream, of which the last one states the counts."""

    __slots__ = ("_chunks", "_kept", "absorb")

    def __init__(self, kept: _Kept, chunks: Any, body: Mapping[str, Any]) -> None:
        self._chunks: Chunks = chunks(body, False)
        self._kept = kept
        self.absorb = self._chunks.absorb

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading = self._chunks.reading(exhausted=exhausted)
        if reading is not None:
            reading[0].cache_read_tokens = self._kept.cached
        return reading
