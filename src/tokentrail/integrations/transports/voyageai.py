"""Voyage's SDK (voyageai): every call goes through `APIRequestor`, below the client's methods, which try again by themselves.

request(method, url, params=…), arequest(…)      returns a response whose `data` is the answer's JSON; run once for each try

So a try inside a client's method is an attempt of one call, which ends with the method. A try elsewhere (`voyageai.Embedding.create`) is a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tokentrail.instrumentation.around import sanitized, under_way
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Reading, Request
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder

__all__ = ["hooks_of"]


class _Method(Exchange):
    """A client's method: its exchange is that of the tries inside, and the call starts with the first one."""


def hooks_of(package: str, provider: str, paths: Mapping[str, Endpoint], methods: Sequence[str]) -> tuple[Hook, ...]:
    """Returns the hooks; `provider` is the default for unknown hosts, `paths` are the endpoints, `methods` those of both clients that try again."""
    requestor = f"{package}.api_resources.api_requestor"
    return (
        Hook(requestor, "APIRequestor.request", opens=partial(_open_try, provider, paths)),
        Hook(requestor, "APIRequestor.arequest", opens=partial(_open_try, provider, paths), is_async=True),
        *(Hook(f"{package}.client", f"Client.{name}", opens=_open_method, optional=True) for name in methods),
        *(Hook(f"{package}.client_async", f"AsyncClient.{name}", opens=_open_method, is_async=True, optional=True) for name in methods),
    )


def _open_method(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    method = _Method(request=Request("", "", ""), args=args, kwargs=kwargs, read=_read_nothing, deferred=True, attempts=0)
    method.deliver = _end_method
    return method


def _read_nothing(_result: Any) -> None:
    return None


def _end_method(method: Exchange, result: Any) -> Any:
    """Records a call whose answer could not be read; usually the try has recorded the call."""
    if method.call is not None:
        method.call.finish(sanitized(Answer(), method.attempts))
    return result


def _open_try(provider: str, paths: Mapping[str, Endpoint], requestor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    given = dict(zip(("method", "url", "params"), args, strict=False)) | kwargs
    endpoint, body = paths.get(given["url"]), given.get("params")
    if endpoint is None or type(body) is not dict:
        return None
    base = requestor.base_url if hasattr(requestor, "base_url") else requestor.api_base
    model = body.get("model")
    request = endpoint.request(server_of(parsed_url(base), provider), body, model if type(model) is str else "", stream=False)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=partial(_read, endpoint))
    method = under_way.get()
    if type(method) is not _Method:
        return exchange
    if method.call is None:
        method.call = recorder.start(request)
    method.attempts += 1
    exchange.deferred = True  # the call is the method's
    exchange.deliver = partial(_record, method)
    return exchange


def _read(endpoint: Endpoint, response: Any) -> Reading | None:
    return endpoint.read(response.data)


def _record(method: _Method, exchange: Exchange, response: Any) -> Any:
    """Records the answer of a try as that of the method. A method that asks again begins another call."""
    reading = exchange.read(response)
    if method.call is not None and reading is not None:
        method.call.finish(sanitized(reading[0], method.attempts), reading[1])
        method.call, method.attempts = None, 0
    return response
