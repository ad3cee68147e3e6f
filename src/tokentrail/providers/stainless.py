"""SDKs that Stainless generates (openai, groq, …): every call of theirs goes through one method, `SyncAPIClient.request` or its async twin.

Patching there, and not the resources, covers `create`, `parse`, `.stream()`, `with_raw_response`, `with_streaming_response`, `client.post()`, Azure's
clients and clients made before, and leaves everything that the caller touches (`client.chat.completions.create`, its signature, its docs)
untouched. The request is seen as it goes out: a generator of messages has been read by the SDK itself, `extra_body` is in it.

    request(cast_to, options, …, stream=…)      options: method, url, json_data, extra_json, headers, post_parser
    BaseClient._calculate_retry_timeout(…)      is called once for each retry, and for nothing else: attempts
    Stream._iterator                            what the caller reads, however he does; replaced by our stand-in
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tokentrail.call import Answer, Request
from tokentrail.process.current import current
from tokentrail.providers import Chunks, Exchange, Hook, Reading
from tokentrail.providers.hosts import Server, server_of
from tokentrail.providers.openai_shape import Body
from tokentrail.providers.routes import Routes
from tokentrail.providers.stainless_answers import deliver

__all__ = ["Endpoint", "hooks_of"]

RAW: Final = "X-Stainless-Raw-Response"
AZURE_ACCEPTS_SINCE: Final = "2024-09-01"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one endpoint speaks."""

    name: str
    gen_ai_operation: str
    operation: str
    texts: Callable[[Mapping[str, Any]], Sequence[str]]
    read: Callable[[Any], Reading | None]
    chunks: Callable[[Mapping[str, Any], bool], Chunks] | None = (
        None  # made for a stream, from the request; True: the usage in it was asked for by us
    )
    asks: bool = False  # takes `stream_options.include_usage`
    parses: bool = False  # the SDK parses what was answered further, which may raise after it was billed
    token_type: str = "llm"  # noqa: S105 - a kind of token
    background: Endpoint | None = None  # the same, where only a job's terminal state is recorded
    deferred: bool = False


def hooks_of(module: str, sdk: str, routes: Routes[Endpoint]) -> tuple[Hook, ...]:
    """Make the hooks of an SDK: `module` is its `_base_client`, `sdk` the provider where a client's host is not known."""
    types = module.partition(".")[0] + ".types."
    return (
        Hook(module, "SyncAPIClient.request", opens=partial(_open_request, sdk, types, len(types), routes, False)),
        Hook(module, "AsyncAPIClient.request", opens=partial(_open_request, sdk, types, len(types), routes, True), is_async=True),
        Hook(module, "BaseClient._calculate_retry_timeout", observes=_count_retry),
    )


def _count_retry(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_request(
    sdk: str, types: str, width: int, routes: Routes[Endpoint], is_async: bool, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    cast_to, options = args if len(args) > 1 else (args[0] if args else kwargs["cast_to"], kwargs["options"])
    asked, model = client.base_url, ""
    endpoint = routes.known.get(options.url)
    if endpoint is None:
        found = routes.find(client, options)
        if found is None:
            return None
        endpoint, asked, model = found
    elif options.method != "post" and options.method.lower() != "post":
        return None
    body = options.json_data
    if type(body) is not dict or options.extra_json:
        body = _body_of(options)
    if endpoint.background is not None and body.get("background"):
        endpoint = endpoint.background
    server = server_of(asked, sdk)
    told = bool(kwargs.get("stream"))  # the SDK is told that it streams
    streams = told or body.get("stream") is True
    request = Request(
        provider=server.provider,
        endpoint=endpoint.name,
        gen_ai_operation=endpoint.gen_ai_operation,
        token_type=endpoint.token_type,
        operation=endpoint.operation,
        model=body.get("model") or model,
        stream=streams,
        server_address=server.address,
        server_port=server.port,
        texts=endpoint.texts(body),
        sends=True,
    )
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, read_error=_read_error, deferred=endpoint.deferred)
    headers = options.headers
    raw = bool(headers and headers.get(RAW))  # headers may be the SDK's "not given", which is falsy
    if streams or raw or cast_to is None or cast_to.__module__[:width] != types:
        asks = told and not raw and endpoint.asks and _may_ask(client, options, body, server) and not _is_http(cast_to)
        if asks:
            _replace_options(exchange, options, json_data={**options.json_data, "stream_options": {"include_usage": True}})
        chunks = endpoint.chunks(body, asks) if endpoint.chunks is not None else None
        exchange.deliver = partial(deliver, chunks, is_async)
    elif endpoint.parses and callable(options.post_parser):
        _remember_billed(exchange, options)
    return exchange


def _body_of(options: Any) -> dict[str, Any]:
    """The JSON object that is sent, where it is not simply `json_data`: with `extra_body`, or given as bytes."""
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


def _is_http(cast_to: Any) -> bool:
    """Whether the caller takes the HTTP response itself: an extra chunk cannot be hidden in its bytes."""
    return str(getattr(cast_to, "__module__", "")).startswith("httpx")


def _replace_options(exchange: Exchange, options: Any, **changes: Any) -> None:
    """Give the SDK changed options; the ones it was called with stay as they are, the caller may have made them."""
    changed = copy.copy(options)
    for name, value in changes.items():
        setattr(changed, name, value)
    if len(exchange.args) > 1:
        exchange.args = (exchange.args[0], changed, *exchange.args[2:])
    else:
        exchange.kwargs = {**exchange.kwargs, "options": changed}


def _may_ask(client: Any, options: Any, body: Mapping[str, Any], server: Server) -> bool:
    """Whether a stream may be asked for its usage: not if the caller decided about `stream_options`, not an Azure API that is too old for it."""
    if not server.asked_for_usage or "stream_options" in body or not isinstance(options.json_data, dict) or not current.settings.include_usage:
        return False
    version = getattr(client, "_api_version", None)
    return server.provider != "azure.ai.openai" or not isinstance(version, str) or not version[:1].isdigit() or version >= AZURE_ACCEPTS_SINCE


def _remember_billed(exchange: Exchange, options: Any) -> None:
    """See what `parse()` parses: it may find that the answer is cut, filtered or no valid JSON, and raise, but it was paid for."""
    parse = options.post_parser

    def post_parser(answer: Any) -> Any:
        exchange.billed = answer
        return parse(answer)

    _replace_options(exchange, options, post_parser=post_parser)


def _read_error(exchange: Exchange, error: BaseException) -> Answer | None:
    """Find the usage of a call that raised: in the answer that was parsed, in `LengthFinishReasonError.completion`, in an error within a stream."""
    billed = exchange.billed if exchange.billed is not None else getattr(error, "completion", None)
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
    """Find the chunk behind an error within a stream. The SDK keeps only its `error` field; the whole is in the frame that raised."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "__stream__":
            return Body.of(trace.tb_frame.f_locals.get("data"))
        trace = trace.tb_next
    return None
