"""botocore, below boto3 and aiobotocore: every client sends through one method of its endpoint, whenever and however the client was made.

    Endpoint._send_request(request_dict, operation_model)         returns the HTTP response, and what botocore has parsed of it
    AioEndpoint._send_request(request_dict, operation_model)      the same, awaited

The method repeats the request itself, and counts in `request_dict["context"]["retries"]["attempt"]`. A status of an error is an answer here: the
client raises botocore's exception afterwards. What is sent (`request_dict`) and what came (the HTTP response) are bytes, so that nothing is lost that
the installed version's model of the service does not know. Responses that event handlers give in place of a request (stubs) spend nothing.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook, Reading
from tokentrail.instrumentation.jobs import JobReader, job_exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.integrations.shapes.bedrock_models import read_with_headers
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.botocore_bodies import WholeBody, follow_read
from tokentrail.integrations.transports.botocore_responses import follow_close
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of
from tokentrail.recording.runtime import internal_error

if TYPE_CHECKING:
    from urllib3.util import Url

__all__ = ["Operation", "hooks_of"]

decode: Final = msgspec.json.Decoder().decode

JOBS: Final = "/model-invocation-job"
_FAILED: Final = 300
"""botocore raises for every status from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the service: the endpoint of a model and a request, and the name of a body that is not read when the call returns.

    `creates`: the operation makes a job, and its path names no model.
    """

    endpoint: Callable[[str, Mapping[str, Any]], Endpoint]
    payload: str = ""
    streams: bool = False
    creates: bool = False


class StatusError(Exception):
    """An answer with the status of an error, of which botocore makes an exception after the call."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status_code = status


def hooks_of(module: str, name: str, operations: Mapping[str, Operation], *, is_async: bool) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the endpoint's class `name`."""
    return (Hook(module, f"{name}._send_request", opens=partial(_open_request, operations, is_async), is_async=is_async),)


def _open_request(
    operations: Mapping[str, Operation], is_async: bool, _endpoint: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    sent, model = args if len(args) > 1 else (args[0] if args else kwargs["request_dict"], kwargs["operation_model"])
    operation = operations.get(model.name)
    if operation is not None and operation.creates:
        return _open_job(operation, sent, args, kwargs)
    if operation is None or (target := _target_of(sent["url"])) is None:
        return None  # another service
    base, name = target
    body = _body_of(sent)
    endpoint = operation.endpoint(name, body)
    request = endpoint.request(server_of(base, "aws.bedrock"), body, name, operation.streams)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, read_error=partial(_count_attempts, sent))
    exchange.deferred = endpoint.deferred
    exchange.deliver = partial(_deliver, operation, endpoint, sent, body, is_async)
    return exchange


def _open_job(operation: Operation, sent: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    """Returns the exchange of a call that creates a job; None for an operation of another service with the same name."""
    base, path, _ = sent["url"].partition(JOBS)
    if not path:
        return None
    body = _body_of(sent)
    model = body.get("modelId")
    name = model if isinstance(model, str) else ""
    endpoint = operation.endpoint(name, body)
    exchange = job_exchange(endpoint, server_of(parsed_url(base), "aws.bedrock"), args, kwargs, name)
    exchange.deliver = partial(_deliver_job, JobReader(endpoint, "", exchange.request))
    return exchange


def _deliver_job(reader: JobReader, _exchange: Exchange, result: Any) -> Any:
    http = result[0]
    if http.status_code < _FAILED:
        reader.read_whole(http._content or b"")  # noqa: SLF001 - `content` is a coroutine in aiobotocore
    return result


def _body_of(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the JSON object that is sent; an empty one for a body that is no JSON, or a file."""
    try:
        body = decode(sent["body"])
    except (KeyError, TypeError, ValueError, msgspec.DecodeError):
        return {}
    return body if type(body) is dict else {}


@lru_cache(256)
def _target_of(url: str) -> tuple[Url, str] | None:
    """Returns the endpoint's URL and the model's name; None for a path of another service."""
    base, model, path = url.partition("/model/")
    return (parsed_url(base), unquote(path.partition("/")[0])) if model else None


def _count_attempts(sent: Mapping[str, Any], exchange: Exchange, _error: BaseException | None = None) -> Answer | None:
    """Sets the attempts of botocore's own repetitions; an error states no usage."""
    with suppress(KeyError):
        exchange.attempts = sent["context"]["retries"]["attempt"]
    return None


def _deliver(
    operation: Operation, endpoint: Endpoint, sent: Mapping[str, Any], body: Mapping[str, Any], is_async: bool, exchange: Exchange, result: Any
) -> Any:
    """Reads the answer, or follows the body that the caller is going to read."""
    http, parsed = result
    _count_attempts(sent, exchange)
    exchange.read_error = None
    headers = parsed["ResponseMetadata"]["HTTPHeaders"]
    if http.status_code >= _FAILED:
        _finish(exchange, (Answer(response_id=_id_in(headers)), "error"), StatusError(http.status_code))
    elif operation.streams and endpoint.chunks is not None:
        chunks: Any = endpoint.chunks(body, False)
        chunks.request_id = _id_in(headers)
        _follow_events(parsed[operation.payload], chunks, exchange, is_async=is_async)
    elif operation.payload:
        follow_read(http.raw, FollowedStream(exchange, WholeBody(partial(_read, endpoint, headers))), length=headers.get("content-length"))
    else:
        _finish(exchange, _read(endpoint, headers, http._content or b""))  # noqa: SLF001 - `content` is a coroutine in aiobotocore
    return result


def _finish(exchange: Exchange, reading: Reading | None, error: BaseException | None = None) -> None:
    if reading is not None and exchange.call is not None:
        exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1], error)


def _id_in(headers: Mapping[str, Any]) -> str:
    return headers.get("x-amzn-requestid", "")  # type: ignore[no-any-return]


def _read(endpoint: Endpoint, headers: Mapping[str, Any], content: bytes) -> Reading | None:
    """Reads a whole body, and what the headers state beside it.

    A body that is no JSON (a gateway's page) is an answer without counts and no error: botocore gives its caller an empty answer, or the bytes.
    """
    try:
        body = decode(content)
    except (ValueError, RecursionError):
        body = parsed_json(content)
    reading = read_with_headers(endpoint, headers, body)
    if reading is not None:
        reading[0].response_id = reading[0].response_id or _id_in(headers)
    return reading


def _follow_events(stream: Any, chunks: Any, exchange: Exchange, *, is_async: bool) -> None:
    """Follows an event stream: its generator is replaced, from which the stream's only iterator reads; the stream stays the SDK's own object."""
    followed = FollowedStream(exchange, chunks)
    chunks.fails = partial(_watch_parse, weakref.ref(stream), weakref.ref(followed))
    messages = stream._event_generator  # noqa: SLF001 - the stream has no public attribute
    stream._event_generator = follow_async(messages, followed) if is_async else follow(messages, followed)  # noqa: SLF001
    follow_close(stream._raw_stream, followed)  # noqa: SLF001


def _watch_parse(stream: Callable[[], Any], followed: Callable[[], FollowedStream | None], _message: Any) -> None:
    """Watches how botocore parses the next message, for which botocore is likely to raise: the record states the exception that the caller gets."""
    vars(stream())["_parse_event"] = partial(_parse, stream, followed)


def _parse(stream: Callable[[], Any], followed: Callable[[], FollowedStream | None], message: Any) -> Any:
    events = stream()
    vars(events).pop("_parse_event", None)
    try:
        parsed = events._parse_event(message)  # noqa: SLF001
    except BaseException as error:
        _end_with_error(followed(), error)
        raise
    return _awaited(parsed, followed) if inspect.isawaitable(parsed) else parsed  # awaited in newer versions of aiobotocore


async def _awaited(parsing: Awaitable[Any], followed: Callable[[], FollowedStream | None]) -> Any:
    try:
        return await parsing
    except BaseException as error:
        _end_with_error(followed(), error)
        raise


def _end_with_error(followed: FollowedStream | None, error: BaseException) -> None:
    try:
        if followed is not None:
            followed.end(error=error)
    except Exception as failure:
        internal_error("stream", failure)
