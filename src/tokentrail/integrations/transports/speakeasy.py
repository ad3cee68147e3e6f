"""SDKs that Speakeasy generates (mistralai, Google's interactions): every call goes through one method, `do_request` or `do_request_async`.

do_request(hook_ctx, request, …, stream=…)      returns the HTTP response, also of an error; the SDK's models and exceptions are made of it later
SDKHooks.before_request(…)                      runs once for each try: attempts

The bytes are read, and not the SDK's models: these have 0 where the provider states nothing, and the older ones leave out cached tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Reading
from tokentrail.instrumentation.jobs import JobReader, job_exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, follow_body
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.bodies import BodyReader, MediaReader, is_media
from tokentrail.integrations.transports.events import EventReader
from tokentrail.integrations.transports.http_errors import content_of, http_errors
from tokentrail.integrations.transports.named_paths import NamedPaths
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder

if TYPE_CHECKING:
    from urllib3.util import Url

__all__ = ["hooks_of"]

FAILED: Final = 400
"""HTTP statuses from here on are errors."""
LONGEST_PATH: Final = 4
Paths = Mapping[str, Endpoint | None]
Find = Callable[[str], Endpoint | None]


def hooks_of(package: str, provider: str, paths: Paths, *, named: Mapping[str, Endpoint] | None = None, async_sdk: str = "") -> tuple[Hook, ...]:
    """Returns the hooks of a generated package, which not every version of the SDK has; `provider` is the default for unknown hosts.

    `paths`: the endpoints by the end of their path, where `*` is an id; None: a longer path at which no model answers. `named`: those of jobs, see
    `NamedPaths`. `async_sdk`: the prefix of the asynchronous classes that some packages have.
    """
    find = lru_cache(256)(partial(_find, paths))
    opens = partial(_open_request, provider, find, NamedPaths(named or {}))
    return (
        Hook(f"{package}.basesdk", "BaseSDK.do_request", opens=partial(opens, False), optional=True),
        Hook(f"{package}.basesdk", f"{async_sdk}BaseSDK.do_request_async", opens=partial(opens, True), is_async=True, optional=True),
        *(
            Hook(
                f"{package}._hooks.{prefix.lower()}sdkhooks",
                f"{prefix}SDKHooks.before_request",
                observes=_count_try,
                is_async=bool(prefix),
                optional=True,
            )
            for prefix in sorted({"", async_sdk})
        ),
    )


def _find(paths: Paths, path: str) -> Endpoint | None:
    """Returns the endpoint of a path, whatever stands before the SDK's own part."""
    steps = [step for step in path.split("/") if step]
    for length in range(min(LONGEST_PATH, len(steps)), 0, -1):
        first, *others = steps[-length:]
        for end in ("/".join((first, *others)), "/".join((first, "*", *others[1:])) if others else ""):
            if end in paths:
                return paths[end]
    return None


def _count_try(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_request(
    provider: str, find: Find, named: NamedPaths, is_async: bool, _sdk: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    given = dict(zip(("hook_ctx", "request"), args, strict=False)) | kwargs
    sent, name = given["request"], ""
    endpoint = find(sent.url.path) if sent.method == "POST" else None
    if endpoint is None:
        endpoint, name = named.find(sent.method, sent.url.path.split("/"))
    if endpoint is None:
        return None
    if endpoint.findings is not None:
        exchange = job_exchange(endpoint, server_of(_url_of(given), provider), args, kwargs)
        exchange.deliver = partial(_deliver_job, JobReader(endpoint, name, exchange.request), is_async)
        return exchange
    body = _body_of(sent)
    if endpoint.instead is not None and body.get(endpoint.instead[0]):
        endpoint = endpoint.instead[1]
    server = server_of(_url_of(given), provider)
    streams = bool(given.get("stream"))
    request = endpoint.request(server, body, body.get("model") or "", streams)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deferred=endpoint.deferred, attempts=0)
    exchange.deliver = partial(_deliver, endpoint, body, is_async, bool(name))
    return exchange


def _url_of(given: Mapping[str, Any]) -> Url:
    return parsed_url(getattr(given["hook_ctx"], "base_url", "") or str(given["request"].url))


def _body_of(sent: Any) -> Mapping[str, Any]:
    """Returns the JSON object of a request, or the fields of a form beside its files, which are not read."""
    try:
        content = sent.content
    except http_errors("RequestNotRead"):
        fields = getattr(sent.stream, "fields", ())
        return {field.name: field.value for field in fields if isinstance(getattr(field, "value", None), str)}
    body = parsed_json(content)
    if isinstance(body, dict):
        return body
    is_form = sent.headers.get("content-type") == "application/x-www-form-urlencoded"
    return dict(parse_qsl(content.decode())) if is_form else {}


def _deliver(endpoint: Endpoint, body: Mapping[str, Any], is_async: bool, is_poll: bool, exchange: Exchange, response: Any) -> Any:
    """Reads or follows a response, which the caller gets unchanged. A poll that fails is no call of a model."""
    status = response.status_code
    if status >= FAILED:
        if not is_poll:
            _finish(exchange, (Answer(), "error"), _RefusedError(status))
    elif not exchange.request.stream:
        value = parsed_json(response.content)
        _finish(exchange, endpoint.read(value) if isinstance(value, dict) else None)
    elif endpoint.chunks is not None:
        chunks = endpoint.chunks(body, False)
        exchange.request.stream = "event-stream" in response.headers.get("content-type", "")
        _follow(response, FollowedStream(exchange, _reader(endpoint, chunks, exchange, response)), is_async=is_async)
    return response


def _reader(endpoint: Endpoint, chunks: Any, exchange: Exchange, response: Any) -> Any:
    """Returns what reads the bytes of a response: events, media, or a whole JSON object where events were asked for."""
    if exchange.request.stream:
        return EventReader(chunks)
    return MediaReader() if is_media(response) else BodyReader(endpoint.read, chunks, deferred=endpoint.deferred)


def _deliver_job(reader: JobReader, is_async: bool, exchange: Exchange, response: Any) -> Any:
    """Reads or follows an answer that may tell of a job; an error tells nothing."""
    if response.status_code < FAILED:
        content = content_of(response)
        if content is None:
            follow_body(response, FollowedStream(exchange, reader), is_async=is_async)
        else:
            reader.read_whole(content)
    return response


def _finish(exchange: Exchange, reading: Reading | None, error: BaseException | None = None) -> None:
    if reading is None:
        if exchange.deferred:
            return
        reading = Answer(), "complete"
    answer, ended = reading
    call = exchange.call or recorder.start(exchange.request)
    if call is not None:
        call.finish(sanitized(answer, exchange.attempts), ended, error)


def _follow(response: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Follows the bytes of a stream, which the SDK takes from `iter_bytes`."""
    name = "aiter_bytes" if is_async else "iter_bytes"
    parts, wrap = getattr(response, name), follow_async if is_async else follow
    follow_body(response, followed, is_async=is_async)
    setattr(response, name, lambda *args, **kwargs: wrap(parts(*args, **kwargs), followed))


class _RefusedError(Exception):
    """An answer with an HTTP status of an error, of which the SDK makes its own exception later."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status
