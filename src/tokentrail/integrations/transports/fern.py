"""SDKs that Fern generates (cohere): every call goes through one class, `HttpClient` or `AsyncHttpClient`, below the methods that parse.

    request(path, json=…, request_options=…, retries=…)     returns the HTTP response, whatever its status; calls itself for each retry
    stream(path, json=…, request_options=…)                 returns a context manager, which sends the request when it is entered

An SDK's method may send its request in another context than the caller's: in a thread of a pool, or with the first step of a generator. Such a method
carries the caller's context in its `request_options`, a dictionary that reaches these functions as it is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tokentrail.instrumentation.around import sanitized, under_way
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Reading, Request
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.integrations.transports.lines import Lines, parsed_json
from tokentrail.integrations.transports.urls import parsed
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

CONTEXT: Final = "tokentrail_context"
"""The key of the caller's context in `request_options`."""
_HTTP: Final = ("httpx", "httpx_sse", "httpcore")


@dataclass(frozen=True, slots=True)
class _Api:
    """The SDK's package, the endpoints by path, the provider for unknown hosts, and the SDK's exception for a response, by name."""

    package: str
    paths: Mapping[str, Endpoint]
    provider: str
    error: type[Exception]


@dataclass(slots=True)
class _Retry(Exchange):
    """A retry, for which the SDK's function calls itself: an attempt of the first exchange, and no call."""

    first: Exchange | None = None


def hooks_of(module: str, provider: str, paths: Mapping[str, Endpoint], carriers: Mapping[str, Sequence[str]]) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the HTTP clients, `carriers` are the methods, by module, that send in another context than the caller's."""
    package = module.partition(".")[0]
    error = type("ApiError", (Exception,), {"__module__": f"{package}.core.api_error", "status_code": None})
    api = _Api(package, paths, provider, error)
    return (
        Hook(module, "HttpClient.request", opens=partial(_open_request, api)),
        Hook(module, "AsyncHttpClient.request", opens=partial(_open_request, api), is_async=True),
        Hook(module, "HttpClient.stream", opens=partial(_open_stream, api, _entered)),
        Hook(module, "AsyncHttpClient.stream", opens=partial(_open_stream, api, _entered_async)),
        *(Hook(place, name, opens=_carry_context) for place, names in carriers.items() for name in names),
    )


def _carry_context(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    """Adds the caller's context to the options; the exchange itself is no call."""
    options = kwargs.get("request_options")
    if options is not None and not isinstance(options, Mapping):
        return None
    carried = {**kwargs, "request_options": {**(options or {}), CONTEXT: copy_context()}}
    return Exchange(request=Request("", "", ""), args=args, kwargs=carried, read=_read_nothing, deferred=True)


def _read_nothing(_result: Any) -> None:
    return None


def _find(api: _Api, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Endpoint, Mapping[str, Any], Any] | None:
    """Returns the endpoint, the body and the server of a request."""
    path, body = args[0] if args else kwargs.get("path"), kwargs.get("json")
    endpoint = api.paths.get(path) if isinstance(path, str) else None
    if endpoint is None or not isinstance(body, Mapping):
        return None
    options = kwargs.get("request_options")
    if options and (more := options.get("additional_body_parameters")):
        body = {**body, **more}
    base = kwargs.get("base_url") or client.base_url
    return endpoint, body, server_of(parsed((base() if callable(base) else base) or ""), api.provider)


def _context_of(kwargs: Mapping[str, Any]) -> Context | None:
    """Returns the context of the caller, if the SDK's method carries the context: a copy, since a context is entered once at a time."""
    context = (kwargs.get("request_options") or {}).get(CONTEXT)
    return context.copy() if isinstance(context, Context) else None


def _open_request(api: _Api, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    found = _find(api, client, args, kwargs)
    if found is None:
        return None
    if kwargs.get("retries"):
        return _open_retry(args, kwargs)
    endpoint, body, server = found
    request = endpoint.request(server, body, _model_of(body), stream=False)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read)
    exchange.deliver = partial(_record, api)
    context = _context_of(kwargs)
    if context is not None:
        exchange.deferred = True  # the call is started here
        exchange.call = context.run(recorder.start, request)
    return exchange


def _model_of(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    return model if isinstance(model, str) else ""  # the SDK's mark for "not given"


def _open_retry(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    outer = under_way.get()
    first = outer.first if isinstance(outer, _Retry) else outer
    if first is None:
        return None
    first.attempts = kwargs["retries"] + 1
    return _Retry(request=first.request, args=args, kwargs=kwargs, read=_read_nothing, deferred=True, first=first)


def _is_success(response: Any) -> bool:
    """Whether the SDK parses the response; it raises an exception of any other."""
    return 200 <= response.status_code < 300  # noqa: PLR2004


def _note_server(api: _Api, request: Request, response: Any) -> None:
    """Replaces the server by the one that has answered: event hooks of the SDK's clients for AWS and Oracle send the request elsewhere."""
    url = response.url
    if url.host != request.server_address:
        server = server_of(url, api.provider)
        request.provider, request.server_address, request.server_port = server.provider, server.address, server.port


def _record(api: _Api, exchange: Exchange, response: Any) -> Any:
    """Records the response; returns it for the SDK's method."""
    exchange.deferred = False
    if exchange.call is None:
        return response
    _note_server(api, exchange.request, response)
    error: Any = None
    body = parsed_json(response.content) if _is_success(response) else None
    reading: Reading | None = None if body is None else exchange.read(body)
    if reading is None:
        error = api.error()
        error.status_code = response.status_code
        reading = Answer(), "error"
    exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1], error)
    return response


def _open_stream(
    api: _Api, entered: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    found = _find(api, client, args, kwargs)
    if found is None or found[0].chunks is None:
        return None
    endpoint, body, server = found
    request = endpoint.request(server, body, _model_of(body), stream=True)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deferred=True)
    lines = partial(Lines, partial(endpoint.chunks, body, False))
    exchange.deliver = partial(_deliver, partial(entered, api, lines, _context_of(kwargs) or copy_context()))
    return exchange


def _deliver(entered: Callable[[Exchange, Any], Any], exchange: Exchange, manager: Any) -> Any:
    """Returns a context manager of the same class as the SDK's."""
    return entered(exchange, manager)


@contextmanager
def _entered(
    api: _Api, lines: Callable[[], Lines], context: Context, exchange: Exchange, manager: AbstractContextManager[Any]
) -> Generator[Any, None, None]:
    followed = _start(exchange, lines, context)
    try:
        with manager as response:
            _follow(api, followed, response, "iter_bytes", follow)
            yield response
    except BaseException as error:
        _end(api, followed, error)
        raise
    _end(api, followed, None)


@asynccontextmanager
async def _entered_async(
    api: _Api, lines: Callable[[], Lines], context: Context, exchange: Exchange, manager: AbstractAsyncContextManager[Any]
) -> AsyncGenerator[Any, None]:
    followed = _start(exchange, lines, context)
    try:
        async with manager as response:
            _follow(api, followed, response, "aiter_bytes", follow_async)
            yield response
    except BaseException as error:
        _end(api, followed, error)
        raise
    _end(api, followed, None)


def _start(exchange: Exchange, lines: Callable[[], Lines], context: Context) -> FollowedStream | None:
    exchange.call = context.run(recorder.start, exchange.request)
    return None if exchange.call is None else FollowedStream(exchange, lines())


def _follow(api: _Api, followed: FollowedStream | None, response: Any, name: str, wrap: Callable[..., Any]) -> None:
    """Follows the bytes of a successful response, from which the SDK makes lines and events."""
    if followed is None:
        return
    try:
        _note_server(api, followed.exchange.request, response)
        if _is_success(response):
            parts = getattr(response, name)
            setattr(response, name, lambda *args, **kwargs: wrap(parts(*args, **kwargs), followed))
            followed.response, followed.replaced = response, (name,)
    except Exception as failure:
        internal_error("stream", failure)


def _end(api: _Api, followed: FollowedStream | None, error: BaseException | None) -> None:
    """Records a stream that was left or that failed, unless the stream was read to its end. A generator that is dropped may be closed by a finalizer.

    An exception in the caller's own block leaves the stream; the SDK's exceptions, and those of its HTTP client, are errors of the call.
    """
    if followed is None:
        return
    is_callers = followed.response is not None and type(error).__module__.partition(".")[0] not in {api.package, *_HTTP}
    followed.end(error=None if is_callers else error, later=isinstance(error, GeneratorExit))
