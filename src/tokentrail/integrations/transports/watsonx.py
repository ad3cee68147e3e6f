"""IBM's SDK (ibm-watsonx-ai): every way of every class sends by the SDK's subclasses of httpx's clients.

send(request, stream=…)                  of the clients: returns the HTTP response, whatever its status; only the paths of a model are calls
_handle_backoff(response, …)             waits before the request of a refused response is sent again: the same call, one attempt more
_handle_response(…, response)            makes the result, or an exception, of a response that is not a stream: a refused call ends here
_get_sleep_time(response, …)             of the SDK's own transport below httpx: sends again by itself, an attempt too

Other clients of httpx stay as they are; those that an application hands to the SDK: see `watsonx_handed`. What is sent in a thread of the SDK: see
`watsonx_threads`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, Final

from tokentrail.instrumentation.around import sanitized, under_way
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Reading, Request
from tokentrail.instrumentation.streams import FollowedStream, follow_body, watch_close
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.integrations.transports.events import EventReader
from tokentrail.integrations.transports.http_errors import http_errors
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.integrations.transports.watsonx_handed import hook_of_handed
from tokentrail.integrations.transports.watsonx_threads import Carried, hooks_of_threads
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder

__all__ = ["hooks_of"]

REFUSED: Final = 300
"""HTTP statuses from here on have no answer of a model."""
PREFIX: Final = "/ml/"
LONGEST_END: Final = 4
Find = Callable[[str], "Endpoint | None"]


class _Sent(Exchange):
    """A request and its tries."""


class _Refused(FollowedStream):
    """A response with a status of an error, until its request is sent again, or the SDK raises, or the response is closed or dropped."""

    __slots__ = ("status",)
    status: int

    def end(self, *, exhausted: bool = False, error: BaseException | None = None, later: bool = False) -> None:
        """Records the call."""
        super().end(exhausted=exhausted, error=error or _RefusedError(self.status), later=later)


class _RefusedError(Exception):
    """An answer with an HTTP status of an error, of which the SDK makes its own exception later."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status


class _Nothing:
    """The counts of a refused request."""

    def absorb(self, _chunk: Any) -> bool:
        """Ignores the page of an error."""
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - an error, however much of its page was read
        """Returns an answer that states nothing."""
        return Answer(), "error"


_refused: weakref.WeakValueDictionary[int, _Refused] = weakref.WeakValueDictionary()
"""By the response's id; the response keeps its value alive."""
_again: ContextVar[_Sent | None] = ContextVar("tokentrail_watsonx_again", default=None)
"""The exchange whose request is sent next, once more."""


def hooks_of(package: str, provider: str, paths: Mapping[str, Endpoint]) -> tuple[Hook, ...]:
    """Returns the hooks; `provider` is the default for unknown hosts, `paths` are the endpoints by the end of their path."""
    opens = partial(_open, provider, lru_cache(256)(partial(_find, paths)))
    clients = f"{package}._wrappers.httpx.client"
    retries = f"{package}._wrappers.httpx.rate_limited_retry.rate_limited_retry_decorator"
    transport = f"{package}._wrappers.httpx.retry_transport.retry_transport_mixin"
    return (
        Hook(f"{clients}.httpx_client", "HTTPXClient.send", opens=partial(opens, False)),
        Hook(f"{clients}.httpx_async_client", "HTTPXAsyncClient.send", opens=partial(opens, True), is_async=True),
        Hook(retries, "RateLimitedRetryDecorator._handle_backoff", opens=_open_backoff),
        Hook(retries, "RateLimitedRetryDecorator._handle_async_backoff", opens=_open_backoff, is_async=True),
        Hook(f"{package}.wml_resource", "WMLResource._handle_response", opens=_end_refused),
        Hook(transport, "RetryTransportMixin._get_sleep_time", opens=_open_transport),
        Hook(transport, "RetryTransportMixin._is_retry_on_server_disconnect", opens=_open_transport),
        hook_of_handed(package, opens),
        *hooks_of_threads(package),
    )


def _find(paths: Mapping[str, Endpoint], path: str) -> Endpoint | None:
    """Returns the endpoint of a path; before its end stand the API's version, and the name of a deployment."""
    _, is_ml, rest = path.partition(PREFIX)
    steps = rest.split("/") if is_ml else []
    ends = ("/".join(steps[-length:]) for length in range(1, LONGEST_END))
    return next((paths[end] for end in ends if end in paths), None)


def _open(provider: str, find: Find, is_async: bool, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    sent = args[0] if args else kwargs["request"]
    endpoint = find(sent.url.path) if sent.method == "POST" else None
    outer = under_way.get() if endpoint is not None else None
    if endpoint is None or not (outer is None or isinstance(outer, Carried)):
        return None
    first = _again.get()
    if first is not None:
        _again.set(None)
        return _open_again(first, args, kwargs)
    body = _body_of(sent)
    model = body.get("model_id") or body.get("model")
    streams = bool(kwargs.get("stream"))
    request = endpoint.request(server_of(parsed_url(str(sent.url)), provider), body, model if type(model) is str else "", streams)
    exchange = _Sent(request=request, args=args, kwargs=kwargs, read=endpoint.read)
    exchange.deliver = partial(_deliver, endpoint, body, is_async)
    if outer is not None:
        exchange.deferred = True  # the call is started here
        exchange.call = outer.context.run(recorder.start, request)
    return exchange


def _open_again(first: _Sent, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    again = _Sent(request=first.request, args=args, kwargs=kwargs, read=first.read, deferred=True, attempts=first.attempts + 1)
    again.deliver, again.call = first.deliver, first.call
    return again


def _body_of(sent: Any) -> Mapping[str, Any]:
    """Returns the JSON object of a request; of a body that is sent in pieces, nothing is read."""
    try:
        body = parsed_json(sent.content)
    except http_errors("RequestNotRead"):
        return {}
    return body if isinstance(body, dict) else {}


def _deliver(endpoint: Endpoint, body: Mapping[str, Any], is_async: bool, exchange: Exchange, response: Any) -> Any:
    """Reads or follows a response, which the SDK gets unchanged."""
    if exchange.call is None:
        return response
    if response.status_code >= REFUSED:
        _refuse(exchange, response, is_async=is_async)
    elif not exchange.request.stream:
        value = parsed_json(response.content)
        answer, ended = (endpoint.read(value) if isinstance(value, dict) else None) or (Answer(), "error")
        exchange.call.finish(sanitized(answer, exchange.attempts), ended)
    elif endpoint.chunks is not None:
        chunks = endpoint.chunks(body, False)
        is_events = "event-stream" in response.headers.get("content-type", "")
        reader = EventReader(chunks) if is_events else BodyReader(endpoint.read, chunks)
        follow_body(response, FollowedStream(exchange, reader), is_async=is_async)
    return response


def _refuse(exchange: Exchange, response: Any, *, is_async: bool) -> None:
    refused = _Refused(exchange, _Nothing())
    refused.status = response.status_code
    watch_close(response, refused, is_async=is_async)
    if is_async:
        _watch_sync_close(response, exchange)
    _refused[id(response)] = refused


def _watch_sync_close(response: Any, exchange: Exchange) -> None:
    """Ends the call where the SDK gives up: after its wait it closes the response of an asynchronous client as a synchronous one, which raises."""
    status, response_of = response.status_code, weakref.ref(response)

    def close() -> None:
        closed = response_of()
        try:
            if closed is not None:
                type(closed).close(closed)
        except Exception:
            _again.set(None)
            if exchange.call is not None:
                exchange.call.finish(sanitized(Answer(), exchange.attempts), "error", _RefusedError(status))
            raise

    response.close = close


def _aside(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    """Returns an exchange of one of the SDK's helpers, which is no call."""
    return Exchange(request=Request("", "", ""), args=args, kwargs=kwargs, read=lambda _result: None, deferred=True)


def _open_backoff(_retrier: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    refused = _refused.get(id(args[0] if args else kwargs["response"]))
    if refused is None:
        return None
    aside = _aside(args, kwargs)
    aside.deliver = partial(_go_on, refused)
    return aside


def _go_on(refused: _Refused, _aside: Exchange, result: Any) -> Any:
    """Keeps the call of a refused request open: the SDK has waited, and sends the request again."""
    exchange = refused.exchange
    refused.end_with(None)
    if isinstance(exchange, _Sent):
        _again.set(exchange)
    return result


def _end_refused(_resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    response = args[2] if len(args) > 2 else kwargs.get("response")  # noqa: PLR2004 - status, name, response
    refused = _refused.get(id(response))
    if refused is not None:
        refused.end()


def _open_transport(_transport: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    outer = under_way.get()
    if not isinstance(outer, _Sent):
        return None
    aside = _aside(args, kwargs)
    aside.deliver = partial(_count_try, outer)
    return aside


def _count_try(sent: _Sent, _aside: Exchange, result: Any) -> Any:
    """Counts a try: a time to wait before it, or true."""
    if result is not None and result is not False:
        sent.attempts += 1
    return result
