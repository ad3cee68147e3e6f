"""litellm: every request that litellm sends itself goes through one method of its HTTP handlers; what it sends through an SDK, the SDK's hook counts.

    HTTPHandler.post(url, data=…, json=…, stream=…)              returns httpx's response, raises for the status of an error
    AsyncHTTPHandler.post(url, data=…, json=…, stream=…)         the same, awaited
    AsyncHTTPHandler.single_connection_request(…)                repeats a request whose connection failed: attempts

The handlers also carry litellm's own requests (tokens of access, callbacks, prompts); a path says which request spends, and on a path that is not
known the answer. Retries and fallbacks of litellm and its Router are above the handlers, so each is a call of its own. The bytes are read, since
litellm's own answers state 0 where a provider states nothing, and in streams what litellm has estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Chunks, Endpoint, Exchange, Hook, Reading
from tokentrail.instrumentation.streams import FollowedStream, follow_body
from tokentrail.integrations.shapes.bedrock_models import read_with_headers
from tokentrail.integrations.shapes.json_objects import items_of, parsed_json
from tokentrail.integrations.transports.aws_frames import FrameReader
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.integrations.transports.lines import Lines
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder

if TYPE_CHECKING:
    from urllib3.util import Url

__all__ = ["Api", "Route", "by_events", "by_frames", "by_lines", "hooks_of"]

MODULE: Final = "litellm.llms.custom_httpx.http_handler"
NAMES: Final = ("url", "data", "json", "params", "headers")
"""The first parameters of both methods; litellm passes all others by name."""
LONGEST_PATH: Final = 3
REQUEST_ID: Final = "x-amzn-requestid"


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, how its stream reads, and the provider at a host that nobody names, where litellm does not say whom it calls."""

    endpoint: Callable[[str, Mapping[str, Any]], Endpoint | None]
    provider: str
    reader: Callable[[Chunks], Chunks | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What is known of litellm's requests. `paths`: routes by the end of their path, where `*` is a model; of `a/b:verb` the verb alone.

    `names`: litellm's names of providers, where the ledger has another name. `own`: the endpoints of providers whose JSON reads in another way.
    `other`: the route of a request to a path that is not known.
    """

    paths: Mapping[str, Route]
    names: Mapping[str, str]
    other: Route
    own: Mapping[tuple[str, str], Endpoint] = field(default_factory=dict)


def hooks_of(api: Api) -> tuple[Hook, ...]:
    """Returns the hooks."""
    find = lru_cache(256)(partial(_find, api.paths))
    opens = partial(_open_request, api, find)
    return (
        Hook(MODULE, "HTTPHandler.post", opens=partial(opens, False)),
        Hook(MODULE, "AsyncHTTPHandler.post", opens=partial(opens, True), is_async=True),
        Hook(MODULE, "AsyncHTTPHandler.single_connection_request", observes=_count_try, is_async=True, optional=True),
    )


def _count_try(exchange: Exchange) -> None:
    exchange.attempts += 1


Found = tuple["Route | None", str, "Url"]
Find = Callable[[str], Found]


def _find(paths: Mapping[str, Route], url: str) -> Found:
    """Returns the route of a URL (None: of no path that is known), the model that the path names, and the URL's parts."""
    parts = parsed_url(url)
    steps = [step for step in (parts.path or "").split("/") if step]
    name, _, verb = steps[-1].partition(":") if steps else ("", "", "")
    if verb in paths:
        return paths[verb], unquote(name), parts
    for length in range(min(LONGEST_PATH, len(steps)), 0, -1):
        first, *others = steps[-length:]
        if route := paths.get("/".join((first, *others))):
            return route, _deployment_in(steps), parts
        if others and (route := paths.get("/".join((first, "*", *others[1:])))):
            return route, unquote(others[0]), parts
    return None, "", parts


def _deployment_in(steps: list[str]) -> str:
    """Returns the model that a path of Azure names."""
    at = steps.index("deployments") + 1 if "deployments" in steps else 0
    return steps[at] if 0 < at < len(steps) else ""


def _open_request(api: Api, find: Find, is_async: bool, _handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
    known, named, parts = find(str(given["url"]).partition("?")[0])  # keys may stand behind
    route = known or api.other
    body = _body_of(given)
    endpoint = route.endpoint(named, body)
    if endpoint is None or (endpoint.spends is not None and not endpoint.spends(body)):
        return None
    if endpoint.instead is not None and body.get(endpoint.instead[0]):
        endpoint = endpoint.instead[1]
    called = _provider_of(api, given.get("logging_obj"))
    server = server_of(parts, called or route.provider)
    endpoint = api.own.get((called or server.provider, endpoint.name), endpoint)
    streams = bool(given.get("stream"))
    request = endpoint.request(server, body, named or _model_in(body), streams)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deferred=endpoint.deferred)
    exchange.deliver = partial(_deliver, route, endpoint, body, is_async)
    return exchange


def _body_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the JSON object that is sent, or the fields of a form."""
    for name in ("json", "data", "content"):
        body = given[name] if name in given else None  # noqa: SIM401 - `get` would be one more call
        if type(body) is str:
            body = parsed_json(body.encode())
        elif type(body) is bytes:
            body = parsed_json(body)
        if body is not None and isinstance(body, dict):
            return body
    return {}


def _model_in(body: Mapping[str, Any]) -> str:
    """Returns the model of a body; Google's batches name the model in each request."""
    model = body.get("model")
    if model is None and (requests := items_of(body.get("requests"))) and isinstance(requests[0], dict):
        model = requests[0].get("model")
    return model.removeprefix("models/") if isinstance(model, str) else ""


def _provider_of(api: Api, logged: Any) -> str:
    """Returns the provider that litellm calls, where litellm passes what it logs of the call."""
    name = getattr(logged, "custom_llm_provider", None)
    if name is None:
        details = getattr(logged, "model_call_details", None)
        name = details.get("custom_llm_provider") if isinstance(details, dict) else None
    return api.names.get(name, name) if isinstance(name, str) else ""


def _deliver(route: Route, endpoint: Endpoint, body: Mapping[str, Any], is_async: bool, exchange: Exchange, response: Any) -> Any:
    """Reads or follows a response, which litellm gets unchanged."""
    read = partial(_read, endpoint, response.headers)
    if exchange.request.stream:
        chunks = endpoint.chunks(body, False) if endpoint.chunks is not None else None
        is_json = "/json" in response.headers.get("content-type", "")
        reader = route.reader(chunks) if chunks is not None and not is_json else None
        whole = reader or BodyReader(read, chunks, deferred=endpoint.deferred)
        follow_body(response, FollowedStream(exchange, whole), is_async=is_async)
        return response
    reading = BodyReader(read, None, deferred=endpoint.deferred).read_whole(response.content)
    if reading is not None:
        call = exchange.call or recorder.start(exchange.request)
        if call is not None:
            call.finish(sanitized(reading[0], exchange.attempts), reading[1])
    return response


def _read(endpoint: Endpoint, headers: Mapping[str, str], body: Any) -> Reading | None:
    """Reads a whole answer, and what the headers of Bedrock state beside it."""
    reading = read_with_headers(endpoint, headers, body)
    if reading is not None:
        reading[0].response_id = reading[0].response_id or headers.get(REQUEST_ID, "")
    return reading


def by_events(_chunks: Chunks) -> Chunks | None:
    """Server-sent events, or JSON: what `BodyReader` reads."""
    return None


def by_lines(chunks: Any) -> Chunks:
    """Reads lines of JSON."""
    return Lines(lambda: chunks if hasattr(chunks, "absorb_all") else _OneByOne(chunks))


def by_frames(chunks: Any) -> Chunks:
    """Reads AWS's frames."""
    return FrameReader(chunks)


class _OneByOne:
    """Passes the events of a stream one by one, read by attribute. An event may be an error."""

    __slots__ = ("_chunks", "_failed")

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._failed = False

    def absorb(self, event: Any) -> bool:
        """Takes an event."""
        return self._chunks.absorb(event)

    def absorb_all(self, events: Iterable[Any]) -> None:
        """Takes events."""
        absorb = self._chunks.absorb
        for event in events:
            if type(event) is dict:
                if "error" in event and event["error"]:  # noqa: RUF019 - `get` would be a call for each event
                    self._failed = True
                absorb(event)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading = self._chunks.reading(exhausted=exhausted)
        return (reading[0], "error") if reading is not None and self._failed else reading
