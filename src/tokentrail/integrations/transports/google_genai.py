"""Google's SDK: models, chats, caches and batches, on the Gemini API and on Vertex, all call four methods of one class.

request(http_method, path, request_dict, http_options)      returns an object whose `body` is the answer's JSON; a dictionary before 1.21
request_streamed(…)                                         a generator of such objects, which sends the request with its first step
async_request(…), async_request_streamed(…)                 the same, awaited; the second sends the request and then returns an async generator
_request_once, _async_request_once                          run once for each try: attempts

A path is a resource and what to do with it: `models/gemini-2.5-flash:generateContent`, `publishers/google/models/…:predict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Hook
from tokentrail.integrations.shapes.gemini import parsed_body
from tokentrail.integrations.transports.generators import deliver, deliver_async
from tokentrail.integrations.transports.google_jobs import open_download, open_job
from tokentrail.integrations.transports.named_paths import NamedPaths
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import Server, server_of

__all__ = ["hooks_of"]


def hooks_of(module: str, endpoints: Mapping[str, Endpoint], *, named: Mapping[str, Endpoint], file: Endpoint) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the client, `endpoints` are the endpoints by the word behind a path's colon.

    `named`: the endpoints of jobs, see `NamedPaths`. `file`: the endpoint of files with results.
    """
    jobs = NamedPaths(named)

    def hook(name: str, delivers: Any, *, is_async: bool) -> Hook:
        return Hook(
            module,
            f"BaseApiClient.{name}",
            opens=partial(_open_request, endpoints, jobs, delivers),
            is_async=is_async,
            is_generator=delivers is deliver,
        )

    return (
        hook("request", None, is_async=False),
        hook("request_streamed", deliver, is_async=False),
        hook("async_request", None, is_async=True),
        hook("async_request_streamed", deliver_async, is_async=True),
        Hook(module, "BaseApiClient.download_file", opens=partial(open_download, file, server_at), optional=True),
        Hook(module, "BaseApiClient.async_download_file", opens=partial(open_download, file, server_at), is_async=True, optional=True),
        Hook(module, "BaseApiClient._request_once", observes=_count_try, optional=True),
        Hook(module, "BaseApiClient._async_request_once", observes=_count_try, is_async=True, optional=True),
    )


def _count_try(exchange: Exchange) -> None:
    exchange.attempts += 1


def _open_request(
    endpoints: Mapping[str, Endpoint], jobs: NamedPaths, delivers: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    given = dict(zip(("http_method", "path", "request_dict", "http_options"), args, strict=False)) | kwargs
    resource, _, verb = str(given["path"]).partition("?")[0].rpartition(":")
    endpoint, body = endpoints.get(verb), given["request_dict"]
    if endpoint is None:
        endpoint, _ = jobs.find(given["http_method"], str(given["path"]).partition("?")[0].split("/"))
    if endpoint is None or not isinstance(body, dict) or (endpoint.spends is not None and not endpoint.spends(body)):
        return None
    if endpoint.findings is not None:
        return open_job(endpoint, server_at(client, given), args, kwargs)
    server = server_at(client, given)
    request = endpoint.request(server, body, resource.rpartition("/")[2], delivers is not None)
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, read_error=_read_error, attempts=0)
    if delivers is not None and endpoint.chunks is not None:
        exchange.deferred = delivers is deliver
        exchange.deliver = partial(delivers, partial(endpoint.chunks, body, False))
    elif delivers is None:
        exchange.deliver = _record
    return exchange


def server_at(client: Any, given: Mapping[str, Any]) -> Server:
    """Returns the server of a request."""
    default = "gcp.vertex_ai" if getattr(client, "vertexai", False) else "gcp.gemini"
    return server_of(parsed_url(_base_url(given.get("http_options")) or _base_url(client._http_options) or ""), default)  # noqa: SLF001


def _base_url(options: Any) -> str | None:
    """Returns the base URL of `HttpOptions`, which may be a dictionary."""
    url = options.get("base_url") if isinstance(options, Mapping) else getattr(options, "base_url", None)
    return url if isinstance(url, str) else None


def _record(exchange: Exchange, result: Any) -> Any:
    """Records the answer; of one that is no JSON (a gateway's page) the exception that the SDK raises next, out of `json.loads` too."""
    if exchange.call is None:
        return result
    try:
        body = parsed_body(getattr(result, "body", result))
    except (ValueError, RecursionError) as error:
        exchange.call.finish(sanitized(Answer(), exchange.attempts), "error", error)
        return result
    reading = exchange.read(body)
    if reading is not None:
        exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1])
    return result


def _read_error(_exchange: Exchange, _error: BaseException) -> Answer | None:
    """Google states no usage in an error."""
    return None
