"""SDKs that Stainless generates (openai, groq, …): every call goes through one method, `SyncAPIClient.request` or `AsyncAPIClient.request`.

A patch of this method, and not of the resources, covers `create`, `parse`, `.stream()`, `with_raw_response`, `with_streaming_response`,
`client.post()`, Azure's clients and clients created before, and does not change the methods that the caller uses (`client.chat.completions.create`,
its signature, its docs). The request is final: the SDK has read a generator of messages, and `extra_body` is included.

    request(cast_to, options, …, stream=…)      options: method, url, json_data, extra_json, headers, post_parser
    BaseClient._calculate_retry_timeout(…)      is called once for each retry, and for nothing else: attempts
    Stream._iterator                            every way to read a stream uses this iterator; replaced by a wrapper
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Union

from tokentrail.instrumentation.contract import Answer, Exchange, Hook
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.transports.evidence import ProvingChunks, parse_and_prove, prove_by, proving
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless_answers import deliver
from tokentrail.integrations.transports.stainless_jobs import open_job
from tokentrail.providers.lookup import server_of

__all__ = ["hooks_of", "read_error"]

RAW: Final = "X-Stainless-Raw-Response"


def hooks_of(module: str, provider: str, routes: Routes) -> tuple[Hook, ...]:
    """Returns the hooks of an SDK: `module` is the SDK's `_base_client`, `provider` is the default for unknown hosts."""
    types = module.rpartition(".")[0] + ".types."
    return (
        Hook(module, "SyncAPIClient.request", opens=partial(_open_request, provider, types, len(types), routes, False)),
        Hook(module, "AsyncAPIClient.request", opens=partial(_open_request, provider, types, len(types), routes, True), is_async=True),
        Hook(module, "BaseClient._calculate_retry_timeout", observes=_count_retry),
    )


def _count_retry(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_request(  # noqa: C901 - another function would be one more call of each request
    provider: str, types: str, width: int, routes: Routes, is_async: bool, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    cast_to, options = args if len(args) > 1 else (args[0] if args else kwargs["cast_to"], kwargs["options"])
    base, model = client._base_url if type(client) in _PLAIN else _base_url(client), ""  # noqa: SLF001 - see `_PLAIN`
    endpoint = routes.known.get(options.url)
    if endpoint is None:
        found = routes.find(client, options)
        if found is None:
            return None
        endpoint, base, model = found
    elif options.method != "post" and options.method.lower() != "post":
        return None
    if endpoint.findings is not None:
        return open_job(endpoint, server_of(base, provider), model, is_async, args, kwargs)
    body = options.json_data
    if type(body) is not dict or options.extra_json:
        body = _body_of(options)
    if endpoint.instead is not None and body.get(endpoint.instead[0]):
        endpoint = endpoint.instead[1]
    server = server_of(base, provider)
    if not server.is_named:
        endpoint = proving(endpoint)
    parses_stream = bool(kwargs.get("stream"))  # the SDK itself returns a stream
    streams = parses_stream or body.get("stream") is True
    request = endpoint.request(server, body, body.get("model") or model, streams)
    exchange = Exchange(
        request=request,
        args=args,
        kwargs=kwargs,
        read=endpoint.read,
        read_error=endpoint.read_error or read_error,
        deferred=endpoint.deferred,
    )
    headers = options.headers
    raw = bool(headers.get(RAW)) if headers else False  # headers may be the SDK's marker "not given", which is falsy
    if streams or raw or cast_to is None or (cast_to.__module__[:width] != types and not _is_union(cast_to, types)):
        asked = False
        if endpoint.asks_for_usage is not None and parses_stream and not raw:
            more = endpoint.asks_for_usage(client, body, server)
            asked = more is not None and _add_fields(more, exchange, options, cast_to)
        chunks = endpoint.chunks(body, asked) if endpoint.chunks is not None else None
        exchange.deliver = partial(deliver, chunks, is_async)
        if type(chunks) is ProvingChunks:
            chunks.request = request
    elif endpoint.parses and callable(options.post_parser):
        _remember_billed(exchange, options)
    if not server.is_named:
        _prove(exchange)
    return exchange


_MOST_TYPES: Final = 64
_PLAIN: Final[set[type]] = set()
"""The types of clients whose `base_url` is the SDK's own property, which returns the field `_base_url`. In openai 3, reading the property imports a
module: 9 of the 208 microseconds that tokentrail took."""


def _base_url(client: Any) -> Any:
    """Returns the client's base URL. Remembers the client's type if the URL came from the SDK's own property; the module `openai` has another one."""
    kind, found = type(client), client.base_url
    own = inspect.getattr_static(kind, "base_url", None)
    reads_field = isinstance(own, property) and getattr(own.fget, "__module__", "").endswith(("._client", "._base_client"))
    if reads_field and getattr(client, "_base_url", None) is found:
        if len(_PLAIN) >= _MOST_TYPES:
            _PLAIN.clear()
        _PLAIN.add(kind)
    return found


def _prove(exchange: Exchange) -> None:
    """Lets the answer of a host that nothing names prove the provider."""
    if exchange.deliver is None:
        options = exchange.args[1] if len(exchange.args) > 1 else exchange.kwargs["options"]
        _replace_options(exchange, options, post_parser=partial(parse_and_prove, exchange.request, options.post_parser))
    prove_by(exchange)


def _is_union(cast_to: Any, types: str) -> bool:
    """Whether the SDK's result is one of several of its models: cerebras' answer, or an error."""
    return getattr(cast_to, "__origin__", None) is Union and str(cast_to.__args__[0].__module__).startswith(types)


def _body_of(options: Any) -> dict[str, Any]:
    """Returns the JSON object that is sent, where the body is not `json_data` alone: with `extra_body`, or passed as bytes."""
    body = options.json_data
    if body is None:
        body = getattr(options, "content", None)  # since openai 2
    if isinstance(body, (bytes, bytearray, str)):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    if not isinstance(body, Mapping):
        body = {}
    return {**body, **options.extra_json} if isinstance(options.extra_json, Mapping) else dict(body)


def _add_fields(more: Mapping[str, Any], exchange: Exchange, options: Any, cast_to: Any) -> bool:
    """Adds fields to the request, unless the caller gets the HTTP response itself: in the bytes an extra chunk cannot be hidden."""
    if not isinstance(options.json_data, dict) or str(getattr(cast_to, "__module__", "")).startswith("httpx"):
        return False
    _replace_options(exchange, options, json_data={**options.json_data, **more})
    return True


def _replace_options(exchange: Exchange, options: Any, **changes: Any) -> None:
    """Passes changed options to the SDK; the original options stay unchanged, because the caller may have created them."""
    changed = copy.copy(options)
    for name, value in changes.items():
        setattr(changed, name, value)
    if len(exchange.args) > 1:
        exchange.args = (exchange.args[0], changed, *exchange.args[2:])
    else:
        exchange.kwargs = {**exchange.kwargs, "options": changed}


def _remember_billed(exchange: Exchange, options: Any) -> None:
    """Keeps the answer before `parse()`: parsing may raise (a truncated or filtered answer, invalid JSON), but the answer is billed."""
    parse = options.post_parser

    def post_parser(answer: Any) -> Any:
        exchange.billed = answer
        return parse(answer)

    _replace_options(exchange, options, post_parser=post_parser)


def read_error(exchange: Exchange, error: BaseException) -> Answer | None:
    """Returns the usage of a call that raised: from the answer that the SDK received (`Exchange.billed`), or from an error inside a stream."""
    billed = exchange.billed
    if billed is None:
        billed = _error_chunk(error) or Body.of(getattr(error, "body", None))
        if not isinstance(billed, Body):
            return None
        if billed.usage is None and isinstance(billed.error, Body):
            billed = billed.error
        if billed.usage is None:
            return None
    reading = exchange.read(billed)
    return reading[0] if reading is not None else None


def _error_chunk(error: BaseException) -> Any:
    """Returns the chunk of an error inside a stream. The SDK keeps only the chunk's `error` field; the whole chunk is in the frame that raised."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "__stream__":
            return Body.of(trace.tb_frame.f_locals.get("data"))
        trace = trace.tb_next
    return None
