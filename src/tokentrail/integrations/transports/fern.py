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
from typing import Any, Final, cast

from tokentrail.frames import passed_over
from tokentrail.instrumentation.around import sanitized, under_way
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Request
from tokentrail.instrumentation.jobs import JobReader, job_exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.lines import Lines
from tokentrail.integrations.transports.named_paths import NamedPaths
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

CONTEXT: Final = "tokentrail_context"
"""The key of the caller's context in `request_options`."""
REDIRECTS: Final = 300
"""The SDK parses a response of a lower status, and raises an exception of any other."""
_HTTP: Final = ("httpx", "httpx_sse", "httpcore")


@dataclass(frozen=True, slots=True)
class _Api:
    """The SDK's package, the endpoints by path, the provider for unknown hosts, and the SDK's exception for a response, by name."""

    package: str
    paths: Mapping[str, Endpoint]
    provider: str
    error: type[Exception]
    jobs: NamedPaths


class _Retry(Exchange):
    """A retry, for which the SDK's function calls itself: an attempt of the first exchange, and no call."""

    first: Exchange | None = None


def hooks_of(
    module: str, provider: str, paths: Mapping[str, Endpoint], carriers: Mapping[str, Sequence[str]], named: Mapping[str, Endpoint]
) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the HTTP clients, `carriers` are the methods, by module, that send in another context than the caller's.

    `named`: the endpoints of jobs, see `NamedPaths`.
    """
    package = module.partition(".")[0]
    error = type("ApiError", (Exception,), {"__module__": f"{package}.core.api_error", "status_code": None})
    api = _Api(package, paths, provider, error, NamedPaths(named))
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


def _find(api: _Api, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Endpoint, dict[str, Any], Any] | None:
    """Returns the endpoint, the body and the server of a request."""
    endpoint = api.paths.get(args[0] if args else kwargs["path"])
    body = kwargs["json"] if "json" in kwargs else None
    if endpoint is None or type(body) is not dict:
        return None
    options = kwargs["request_options"] if "request_options" in kwargs else None
    if options and (more := options.get("additional_body_parameters")):
        body = {**body, **more}
    return endpoint, body, _server(api, client, kwargs)


def _server(api: _Api, client: Any, kwargs: Mapping[str, Any]) -> Any:
    base = kwargs["base_url"] if "base_url" in kwargs else None
    base = base or client.base_url
    return server_of(parsed_url(base if type(base) is str else base()), api.provider)


def _context_of(kwargs: Mapping[str, Any]) -> Context | None:
    """Returns the context of the caller, if the SDK's method carries the context: a copy, since a context is entered once at a time."""
    options = kwargs["request_options"] if "request_options" in kwargs else None
    context = options.get(CONTEXT) if options else None
    return context.copy() if type(context) is Context else None


def _open_request(api: _Api, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    found = _find(api, client, args, kwargs)
    if found is None:
        return _open_job(api, client, args, kwargs)
    if "retries" in kwargs:
        return _open_retry(args, kwargs)
    endpoint, body, server = found
    model = body["model"] if "model" in body else ""
    request = endpoint.request(server, body, model if type(model) is str else "", stream=False)  # the SDK has a mark for "not given"
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deliver=partial(_record, api, _sends_elsewhere(client)))
    context = _context_of(kwargs)
    if context is not None:
        exchange.deferred = True  # the call is started here
        exchange.call = context.run(recorder.start, request)
    return exchange


def _open_job(api: _Api, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    """Returns the exchange of a request that may tell of a job; of its retries, whose answer is the same, only the first is one."""
    path = args[0] if args else kwargs.get("path")
    endpoint, name = api.jobs.find(str(kwargs.get("method")), path.split("/") if isinstance(path, str) else ())
    if endpoint is None or "retries" in kwargs:
        return None
    exchange = job_exchange(endpoint, _server(api, client, kwargs), args, kwargs)
    exchange.deliver = partial(_deliver_job, JobReader(endpoint, name, exchange.request))
    return exchange


def _deliver_job(reader: JobReader, _exchange: Exchange, response: Any) -> Any:
    if response.status_code < REDIRECTS:
        reader.read_whole(response.content)
    return response


def _open_retry(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    outer = under_way.get()
    first = outer.first if isinstance(outer, _Retry) else outer
    if first is None:
        return None
    first.attempts = kwargs["retries"] + 1
    return _Retry(request=first.request, args=args, kwargs=kwargs, read=_read_nothing, deferred=True, first=first)


def _sends_elsewhere(client: Any) -> bool:
    """Whether the HTTP client may send the request elsewhere: the SDK's clients for AWS and Oracle do so in event hooks."""
    try:
        return bool(client.httpx_client.event_hooks["request"])
    except (AttributeError, KeyError, TypeError):
        return False


def _note_server(api: _Api, request: Request, response: Any) -> None:
    """Replaces the server by the one that has answered."""
    url = response.url
    if url.host != request.server_address:
        server = server_of(url, api.provider)
        request.provider, request.server_address, request.server_port = server.provider, server.address, server.port
        request.is_corrected = True


def _record(api: _Api, elsewhere: bool, exchange: Exchange, response: Any) -> Any:
    """Records the response; returns it for the SDK's method."""
    exchange.deferred = False
    if exchange.call is None:
        return response
    if elsewhere:
        _note_server(api, exchange.request, response)
    body = parsed_json(response.content) if response.status_code < REDIRECTS else None
    reading = exchange.read(body) if body is not None else None
    if reading is None:
        error = api.error()
        error.status_code = response.status_code  # type: ignore[attr-defined]
        exchange.call.finish(sanitized(Answer(), exchange.attempts), "error", error)
    else:
        exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1])
    return response


def _open_stream(api: _Api, entered: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    found = _find(api, client, args, kwargs)
    if found is None or found[0].chunks is None:
        return None
    endpoint, body, server = found
    model = body.get("model")
    request = endpoint.request(server, body, model if type(model) is str else "", stream=True)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deferred=True)
    lines = partial(Lines, partial(cast("Any", endpoint.chunks), body, False))
    context = _context_of(kwargs)
    if context is None:  # an empty context is false
        context = copy_context()
    exchange.deliver = partial(entered, api, lines, context)  # a context manager of the same class as the SDK's
    return exchange


@contextmanager
@passed_over
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
@passed_over
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
        if response.status_code < REDIRECTS:
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
