"""Ollama's SDK: all methods, and the functions of the module (`ollama.chat` is bound to a client at import), call `Client._request`.

_request(cls, method, url, json=…, stream=…)      returns a model, or a generator, sync or async
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Endpoint, Exchange, Hook
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
    exchange = Exchange(
        request=endpoint.request(server, body, body.get("model") or "", streams),
        args=args,
        kwargs=kwargs,
        read=endpoint.read,
        read_error=endpoint.read_error,
        deferred=streams,  # the SDK sends the request when the first chunk is read; a stream that is never read spends nothing
    )
    if streams and endpoint.chunks is not None:
        exchange.deliver = partial(delivers, partial(endpoint.chunks, body, False))
    return exchange
