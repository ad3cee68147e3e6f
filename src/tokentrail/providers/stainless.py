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
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tokentrail.call import Answer, Request
from tokentrail.instrumentation.streams import Following, follow, follow_async, watch_close, watch_close_async
from tokentrail.providers import Chunks, Exchange, Hook, Reading
from tokentrail.providers.hosts import Server, server_of
from tokentrail.providers.openai_shape import Body
from tokentrail.settings import current

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
    chunks: Callable[[bool], Chunks] | None = None  # made for a stream; True: the usage in it was asked for by us
    asks: bool = False  # takes `stream_options.include_usage`
    parses: bool = False  # the SDK parses what was answered further, which may raise after it was billed
    token_type: str = "llm"  # noqa: S105 - a kind of token
    background: Endpoint | None = None  # the same, where only a job's terminal state is recorded
    deferred: bool = False


Finder = Callable[[Any], Endpoint | None]
"""From a request's options to its endpoint; None: not ours."""


def hooks_of(module: str, sdk: str, find: Finder) -> tuple[Hook, ...]:
    """Make the hooks of an SDK: `module` is its `_base_client`, `sdk` the provider where a client's host is not known."""
    opens = partial(_open_request, sdk, find)
    return (
        Hook(module, "SyncAPIClient.request", opens=opens),
        Hook(module, "AsyncAPIClient.request", opens=opens, is_async=True),
        Hook(module, "BaseClient._calculate_retry_timeout", observes=_count_retry),
    )


def _count_retry(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_request(sdk: str, find: Finder, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    options = args[1] if len(args) > 1 else kwargs["options"]
    endpoint = find(options)
    if endpoint is None:
        return None
    body = options.json_data
    if not isinstance(body, dict):
        body = {}
    if endpoint.background is not None and body.get("background"):
        endpoint = endpoint.background
    server = server_of(client.base_url, sdk)
    streams = bool(kwargs.get("stream"))
    request = Request(
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
    )
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, read_error=_read_error, deferred=endpoint.deferred)
    headers = options.headers
    raw = headers.get(RAW) if headers else None  # also falsy: the SDK's "not given"
    if raw:
        _expect_raw(exchange, endpoint, unread=streams or raw != "true")
    elif streams and endpoint.chunks is not None:
        asked = endpoint.asks and server.asked_for_usage and _may_ask(client, options, body, server)
        if asked:
            _replace_options(exchange, options, json_data={**body, "stream_options": {"include_usage": True}})
        exchange.deliver = partial(_deliver_stream, endpoint.chunks(asked))
    elif endpoint.parses and callable(options.post_parser):
        _remember_billed(exchange, options)
    return exchange


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
    if "stream_options" in body or "stream_options" in (options.extra_json or ()) or not current().include_usage:
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


def _deliver_stream(chunks: Chunks, exchange: Exchange, stream: Any) -> Any:
    """Put our stand-in between the caller and the SDK's iterator; the stream stays the SDK's own object."""
    _follow(stream, Following(exchange, chunks))
    return stream


def _follow(stream: Any, following: Following) -> None:
    inner = stream._iterator  # noqa: SLF001 - the one place through which `for`, `next()` and all helpers read
    if hasattr(inner, "__anext__"):
        following.inner = inner if inspect.isasyncgen(inner) else None
        stream._iterator = follow_async(inner, following)  # noqa: SLF001
        watch_close_async(stream.response, following)
    else:
        following.inner = inner if inspect.isgenerator(inner) else None
        stream._iterator = follow(inner, following)  # noqa: SLF001
        watch_close(stream.response, following)


def _expect_raw(exchange: Exchange, endpoint: Endpoint, *, unread: bool) -> None:
    exchange.read_raw = _read_body
    if unread:
        exchange.deliver = partial(_deliver_unread, endpoint)
    else:
        exchange.deliver = _deliver_read


def _read_body(exchange: Exchange, response: Any) -> Reading | None:
    """Read the body of an HTTP response, which the caller parses as he likes, or not at all."""
    body = Body.parse(response.content)
    return exchange.read(body) if isinstance(body, Body) else (Answer(), "complete")


def _deliver_read(exchange: Exchange, raw: Any) -> Any:
    """Record a raw response (`with_raw_response`) whose body is there already."""
    Following(exchange, None).closed(raw.http_response)
    return raw


def _deliver_unread(endpoint: Endpoint, exchange: Exchange, raw: Any) -> Any:
    """Wait for what becomes of a raw response whose body nobody has read: parsed into a stream, read, or closed.

    What is read as bytes or lines is not looked into: such a call is recorded without counts.
    """
    following = Following(exchange, None)
    response = raw.http_response
    if inspect.iscoroutinefunction(type(raw).close) if hasattr(type(raw), "close") else hasattr(response.stream, "__aiter__"):
        watch_close_async(response, following)
    else:
        watch_close(response, following)
    if exchange.request.stream and endpoint.chunks is not None:
        _watch_parse(raw, following, endpoint.chunks(False))
    return raw


def _watch_parse(raw: Any, following: Following, chunks: Chunks) -> None:
    """Follow the stream that a raw response is parsed into. Our `parse` takes itself off then, and with it its hold on the response."""
    parse = raw.parse

    def adopt(parsed: Any) -> Any:
        vars(raw).pop("parse", None)
        if following.chunks is None and hasattr(parsed, "_iterator"):
            following.chunks = chunks
            _follow(parsed, following)
        return parsed

    if inspect.iscoroutinefunction(parse):

        async def parse_async(*args: Any, **kwargs: Any) -> Any:
            return adopt(await parse(*args, **kwargs))

        raw.parse = parse_async
    else:

        def parse_sync(*args: Any, **kwargs: Any) -> Any:
            return adopt(parse(*args, **kwargs))

        raw.parse = parse_sync
