"""Which exceptions are worth another attempt. SDKs are recognised by the form of their exceptions; none is imported.

Another attempt: timeouts, connection errors, and the statuses 408, 409, 429 and 5xx. Never: other statuses, a spent account (`insufficient_quota`), a
certificate that does not verify, a request that is wrong before it is sent, an answer of one's own web framework (its `HTTPException`), and
everything that is no error of a connection or an answer.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["is_transient", "retry_after_of", "seconds_of", "status_of"]

TRANSIENT_STATUSES: Final = frozenset({408, 409, 429})
SERVER_ERRORS: Final = range(500, 600)
STATUSES: Final = range(100, 600)

_CONNECTION: Final = frozenset(
    {
        "APIConnectionError",  # of the SDKs that Stainless generates: openai, groq, anthropic …
        "TransportError",  # httpx, httpx2
        "ConnectionError",  # requests, botocore, which are no ConnectionError of Python's
        "Timeout",  # requests
        "ChunkedEncodingError",  # requests
        "HTTPClientError",  # botocore
        "ProtocolError",  # urllib3
        "NewConnectionError",  # urllib3
        "MaxRetryError",  # urllib3
        "TimeoutError",  # urllib3, concurrent.futures
        "ClientConnectionError",  # aiohttp
        "ClientPayloadError",  # aiohttp
        "ServiceRequestError",  # azure.core
        "ServiceResponseError",  # azure.core
    }
)
"""Names of classes that say that no whole answer came."""
_MISTAKES: Final = frozenset({"UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "SSLError", "ClientSSLError", "TooManyRedirects"})
"""Names of classes, some of them below the former, of errors that come again."""
_LIBRARIES: Final = frozenset(
    {
        "aiohttp", "anthropic", "azure", "botocore", "cerebras", "cohere", "concurrent", "fireworks", "google", "groq", "httpcore",
        "httpcore2", "httpx", "httpx2", "huggingface_hub", "mistralai", "ollama", "openai",
        "openrouter", "replicate", "requests", "together", "urllib3", "writerai",
    }
)  # fmt: skip
"""The packages whose exceptions are known by their names."""
_OF_PROGRAMS: Final = (TypeError, ValueError, LookupError, AttributeError, RuntimeError)
"""Errors that say of a connection error's cause that it is the program's: an argument of a wrong kind, a client that is closed."""
_FRAMEWORKS: Final = frozenset({"starlette", "fastapi", "werkzeug", "django", "flask", "litestar", "quart"})
"""The packages whose exceptions are the program's own answers, though they state a status."""
_SPENT: Final = "insufficient_quota"
_GRPC: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL"})
"""gRPC's statuses beside 503, 504, 429, 409 and 500 (google.rpc.Code)."""


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    if not isinstance(error, Exception) or any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error)):
        return False
    if _package(type(error)) in _FRAMEWORKS or _is_mistake(error):
        return False
    if headers_of(error).get("x-should-retry") == "false":  # of OpenAI's and Anthropic's servers, which know best
        return False
    status = status_of(error)
    if status:
        return (status in TRANSIENT_STATUSES and not _is_spent(error)) or status in SERVER_ERRORS
    if (code := _grpc_code(error)) is not None:
        return code in _GRPC
    if isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError)):
        return True
    return not _known_names(error).isdisjoint(_CONNECTION)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _known_names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__ if _package(kind) in _LIBRARIES}


def _is_mistake(error: BaseException) -> bool:
    """Whether the request was wrong before it was sent. Generated SDKs raise their connection error for whatever happens in the HTTP client."""
    cause = error.__cause__ or getattr(error, "kwargs", {}).get("error")  # the latter is botocore's
    return any(
        not _known_names(each).isdisjoint(_MISTAKES) or (each is cause and isinstance(each, _OF_PROGRAMS))
        for each in (error, cause)
        if isinstance(each, BaseException)
    )


def _is_spent(error: BaseException) -> bool:
    """Whether the account is spent, by the code of OpenAI's API, which others have taken over with its form."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    held = inner if isinstance(inner, Mapping) else {}
    return _SPENT in (vars(error).get("code"), held.get("code"), held.get("type"))


def status_of(error: BaseException) -> int:
    """Returns the HTTP status of an exception's answer; 0 if there was no answer."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore
        metadata = response.get("ResponseMetadata")
        return _status(metadata.get("HTTPStatusCode")) if isinstance(metadata, Mapping) else 0
    for holder, name in ((error, "status_code"), (response, "status_code"), (error, "status"), (error, "code")):
        if status := _status(getattr(holder, name, None)):
            return status
    return 0


def retry_after_of(error: BaseException) -> float | None:
    """Returns the seconds that the server asks to wait, by the headers `retry-after-ms` and `Retry-After`; None if it asks for nothing."""
    headers = headers_of(error)
    milliseconds = _number(headers.get("retry-after-ms"))
    return seconds_of(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000


def seconds_of(header: str | None) -> float | None:
    """Returns the seconds of a Retry-After header (RFC 9110, 10.2.3): a number of seconds, or a date; None for what is neither."""
    if not header:
        return None
    seconds = _number(header)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def headers_of(error: BaseException) -> dict[str, str]:
    """Returns the headers of an exception's answer, by names in lower case."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        metadata = response.get("ResponseMetadata")
        found: Any = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    else:
        found = getattr(response, "headers", None) or getattr(error, "headers", None)
    try:
        return {str(name).lower(): str(value) for name, value in found.items()}
    except Exception:  # no headers, or an object of an unknown kind
        return {}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        yield here
        reason = getattr(here, "reason", None)  # urllib3's MaxRetryError, OSErrors of the client of aiohttp
        here = here.__cause__ or here.__context__ or (reason if isinstance(reason, BaseException) else None)


def _grpc_code(error: BaseException) -> str | None:
    code = getattr(error, "code", None)
    if not callable(code):
        return None
    try:
        name = getattr(code(), "name", None)
    except Exception:
        return None
    return name if isinstance(name, str) else None


def _status(value: Any) -> int:
    """Returns an HTTP status; 0 for anything else, also for enums of texts and for a bool."""
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and value in STATUSES else 0


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
