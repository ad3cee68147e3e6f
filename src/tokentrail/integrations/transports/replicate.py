"""Replicate's SDK (replicate): every call goes through one function of the client, sync or async.

_request(method, path, json=…), _async_request(…)      returns the HTTP response, or raises for its status
RetryTransport, in the HTTP client                     sends a request that may be repeated again
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Exchange, Hook, Reading
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.providers.lookup import server_of

__all__ = ["hooks_of"]

_PREDICTION: Final = re.compile(
    r"/v1/(?:predictions|predictions/[^/]+(?:/cancel)?|(?:models/([^/]+/[^/]+)|deployments/[^/]+/[^/]+)/predictions)"
).fullmatch
"""The paths whose answer is a prediction. The list of all predictions (`GET /v1/predictions`) has no `id`, so nothing is read."""


def hooks_of(package: str, provider: str, endpoint: Endpoint) -> tuple[Hook, ...]:
    """Returns the hooks; `provider` is the default for unknown hosts."""
    return (
        Hook(f"{package}.client", "Client._request", opens=partial(_open, provider, endpoint, "_client")),
        Hook(f"{package}.client", "Client._async_request", opens=partial(_open, provider, endpoint, "_async_client"), is_async=True),
        Hook(f"{package}.client", "RetryTransport._calculate_sleep", observes=_count_retry, optional=True),
    )


def _count_retry(exchange: Exchange) -> None:
    """Runs before each further try of a request, for both kinds of clients."""
    exchange.attempts += 1


def _open(provider: str, endpoint: Endpoint, http_client: str, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    given = dict(zip(("method", "path"), args, strict=False)) | kwargs
    found = _PREDICTION(str(given["path"]))
    if found is None:
        return None
    body = given.get("json")
    server = server_of(getattr(client, http_client).base_url, provider)
    request = endpoint.request(server, body if type(body) is dict else {}, found.group(1) or "", stream=False)
    return Exchange(request=request, args=args, kwargs=kwargs, read=partial(_read, endpoint), deferred=True)


def _read(endpoint: Endpoint, response: Any) -> Reading | None:
    return endpoint.read(parsed_json(response.content))
