"""SDKs over azure-core (azure-ai-inference): every call goes through one method, `Pipeline.run` or `AsyncPipeline.run`, below the methods that parse.

    run(request, …, stream=…)      returns a response in a context, whatever its status; the SDK's models and exceptions are made of it later
    RetryPolicy.sleep(…)           is called once for each retry: attempts
    response.iter_bytes()          every stream of the SDK reads this; the SDK stops at the event `[DONE]`, before the body's end

The pipeline is that of every Azure SDK: only a POST to one of the paths is a call of a model.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, Final

from urllib3.util import Url

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Chunks, Endpoint, Exchange, Hook, Reading
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.integrations.transports.events import EventReader
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

FAILED: Final = 400
"""HTTP statuses from here on are errors."""
TEXTS: Final = (str, bytes)
MODELS_AFTER: Final = "deployments"
"""The step of a path of Azure OpenAI before the model's name."""
Find = Callable[[str], "tuple[Endpoint, Url, str] | None"]


def hooks_of(provider: str, paths: Mapping[str, Endpoint]) -> tuple[Hook, ...]:
    """Returns the hooks: `paths` are the endpoints by the end of their path, `provider` is the default for unknown hosts."""
    opens = partial(_open_run, provider, lru_cache(256)(partial(_find, paths)))
    return (
        Hook("azure.core.pipeline._base", "Pipeline.run", opens=partial(opens, False)),
        Hook("azure.core.pipeline._base_async", "AsyncPipeline.run", opens=partial(opens, True), is_async=True),
        Hook("azure.core.pipeline.policies._retry", "RetryPolicy.sleep", observes=_count_retry),
        Hook("azure.core.pipeline.policies._retry_async", "AsyncRetryPolicy.sleep", observes=_count_retry, is_async=True),
    )


def _find(paths: Mapping[str, Endpoint], url: str) -> tuple[Endpoint, Url, str] | None:
    """Returns the endpoint of a URL, the URL's parts, and the model if the path names one; the longest end of the path decides."""
    parts = parsed_url(url)
    steps = [step for step in (parts.path or "").split("/") if step]
    endpoint = paths.get("/".join(steps[-2:])) or paths.get("".join(steps[-1:]))
    if endpoint is None:
        return None
    return endpoint, parts, next((after for before, after in pairwise(steps) if before == MODELS_AFTER), "")


def _count_retry(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_run(provider: str, find: Find, is_async: bool, _pipeline: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    sent = args[0] if args else kwargs["request"]
    found = find(sent.url) if sent.method == "POST" else None
    if found is None:
        return None
    endpoint, url, model = found
    content = sent.content
    given = parsed_json(content) if type(content) in TEXTS else None  # of a file that is sent, nothing is read
    body: Mapping[str, Any] = given if type(given) is dict else {}
    streams = "stream" in kwargs and kwargs["stream"] is True
    model = body.get("model") or model
    request = endpoint.request(server_of(url, provider), body, model, streams)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read)
    exchange.deliver = partial(_deliver, endpoint, body, is_async)
    return exchange


def _deliver(endpoint: Endpoint, body: Mapping[str, Any], is_async: bool, exchange: Exchange, result: Any) -> Any:
    """Reads or follows a response, which the SDK gets unchanged."""
    response = result.http_response
    status = response.status_code
    if status >= FAILED:
        _finish(exchange, (Answer(), "error"), _RefusedError(status))
        return result
    if not exchange.request.stream:
        content = response.content
        value = parsed_json(content)
        _finish(exchange, endpoint.read(value) if type(value) is dict else _read_events(endpoint, body, content))
        return result
    chunks = endpoint.chunks(body, False) if endpoint.chunks is not None else None
    exchange.request.stream = "event-stream" in (response.headers.get("content-type") or "")
    if chunks is not None and exchange.request.stream:
        events = _Events(chunks)
        followed = FollowedStream(exchange, events)
        events.followed = weakref.ref(followed)
    else:
        followed = FollowedStream(exchange, BodyReader(endpoint.read, chunks))
    _follow(response, followed, is_async=is_async)
    return result


def _read_events(endpoint: Endpoint, body: Mapping[str, Any], content: bytes) -> Reading | None:
    """Reads a whole body that is no JSON object: events, if the request asked for a stream and the SDK was not told so."""
    chunks = endpoint.chunks(body, False) if endpoint.chunks is not None else None
    return BodyReader(endpoint.read, chunks).read_whole(content)


def _finish(exchange: Exchange, reading: Reading | None, error: BaseException | None = None) -> None:
    answer, ended = reading or (Answer(), "complete")
    call = exchange.call or recorder.start(exchange.request)
    if call is not None:
        call.finish(sanitized(answer, exchange.attempts), ended, error)


class _Events(EventReader):
    """Reads the events of a stream, and records the stream with the event `[DONE]`: the SDK reads no further, and closes nothing."""

    __slots__ = ("followed",)

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks)
        self.followed: Callable[[], FollowedStream | None] = lambda: None

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes, decoded."""
        self._parts += (part,)  # as `EventReader.absorb`, without a call for each chunk
        self._count += 1
        if self._count > self._limit:
            self._read(whole=False)
        if b"[DONE]" in part and (part.startswith(_DONE) or b"\n" + _DONE in part) and (followed := self.followed()) is not None:
            followed.end(exhausted=True)
        return False


_DONE: Final = b"data: [DONE]"


def _follow(response: Any, followed: FollowedStream, *, is_async: bool) -> None:
    """Follows the bytes of a response, and its `close`, which is a coroutine function of the same name in the asynchronous SDK."""
    parts, close, wrap = response.iter_bytes, response.close, follow_async if is_async else follow

    def close_and_record() -> None:
        try:
            close()
        finally:
            _record_close(followed)

    async def close_and_record_async() -> None:
        try:
            await close()
        finally:
            _record_close(followed)

    followed.response, followed.replaced = response, ("iter_bytes", "close")
    response.iter_bytes = lambda *args, **kwargs: wrap(parts(*args, **kwargs), followed)
    response.close = close_and_record_async if is_async else close_and_record


def _record_close(followed: FollowedStream) -> None:
    try:
        if not followed.stepping:
            followed.end()
    except Exception as failure:
        internal_error("stream", failure)


class _RefusedError(Exception):
    """An answer with an HTTP status of an error, of which the SDK makes its own exception later."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status
