"""Jobs over Stainless's SDKs: batches, files of results, fine-tunings, whatever the result of the SDK's `request` is.

`files.content()` gives an object around a loaded HTTP response, `with_streaming_response` an unread one, Anthropic's `results()` a decoder of lines.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Endpoint, Exchange
from tokentrail.instrumentation.jobs import JobReader, job_exchange
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, follow_body, watch_close
from tokentrail.integrations.transports.http_errors import content_of

__all__ = ["open_job"]


def open_job(endpoint: Endpoint, server: Any, name: str, is_async: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    """Returns the exchange of a request that may tell of a job; `name` is the id in the request's path."""
    exchange = job_exchange(endpoint, server, args, kwargs)
    exchange.deliver = partial(_deliver, JobReader(endpoint, name, exchange.request), is_async)
    return exchange


def _deliver(reader: JobReader, is_async: bool, exchange: Exchange, answer: Any) -> Any:
    """Reads or follows the SDK's result; the caller gets the SDK's own object."""
    response = next((each for each in (_http_of(answer, "http_response"), _http_of(answer, "response"), answer) if _is_http(each)), None)
    if response is not None and hasattr(answer, "_iterator"):  # lines, each made an object
        followed = FollowedStream(exchange, reader)
        inner = answer._iterator  # noqa: SLF001 - the attribute that every way of reading uses
        answer._iterator = follow_async(inner, followed) if is_async else follow(inner, followed)  # noqa: SLF001
        watch_close(response, followed, is_async=is_async)
        return answer
    if response is None:
        reader.read_whole(answer)
    elif (content := content_of(response)) is not None:
        reader.read_whole(content)
    else:
        follow_body(response, FollowedStream(exchange, reader), is_async=is_async)
    return answer


def _http_of(answer: Any, name: str) -> Any:
    return getattr(answer, "__dict__", {}).get(name) or (getattr(answer, name, None) if name == "http_response" else None)


def _is_http(response: Any) -> bool:
    return hasattr(response, "is_stream_consumed")
