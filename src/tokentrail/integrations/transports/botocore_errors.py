"""The exceptions of botocore's bodies, which botocore raises above the HTTP client's response that is followed.

A caller who reads the HTTP client's response past botocore's body gets the client's exceptions, or none: only the stack shows which one reads.
"""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["error_above", "error_of_short"]

BODIES: Final = ("botocore.response", "aiobotocore.response")
METHODS: Final = ("read", "readinto", "_fill_buffer")
DEPTH: Final = 8
"""Frames between botocore's body and here, at most."""
TIMEOUTS: Final = frozenset({"ReadTimeoutError", "TimeoutError", "ReadTimeout"})
"""Of urllib3, asyncio, httpx."""
BROKEN: Final = frozenset({"ProtocolError", "ClientConnectionError", "NetworkError", "RemoteProtocolError"})
"""Of urllib3, aiohttp, httpx twice."""


def _reader() -> str:
    """Returns the module of botocore's body that reads now; an empty text for any other reader."""
    frame: Any = sys._getframe(2)  # noqa: SLF001
    for _ in range(DEPTH):
        if frame is None:
            break
        name = frame.f_globals.get("__name__")
        if name in BODIES and frame.f_code.co_name in METHODS:
            return name  # type: ignore[no-any-return]
        frame = frame.f_back
    return ""


def error_above(error: BaseException) -> BaseException:
    """Returns the exception that the caller gets for one of the HTTP client: botocore's, or the same."""
    names = {kind.__name__ for kind in type(error).__mro__}
    is_timeout = bool(names & TIMEOUTS)
    if (is_timeout or names & BROKEN) and (reader := _reader()):
        body = sys.modules[reader]
        name = "ResponseStreamingError" if not is_timeout else "ReadTimeoutError" if reader == BODIES[0] else "AioReadTimeoutError"
        return getattr(body, name)(endpoint_url=None, error=error)  # type: ignore[no-any-return]
    return error


def error_of_short(size: int, length: int | None, wanted: int | None) -> BaseException | None:
    """Returns the exception that botocore's body raises for a body that is shorter than stated; None if the caller is not told."""
    if (wanted is not None and wanted < 0) or not _reader():
        return None
    return sys.modules["botocore.exceptions"].IncompleteReadError(actual_bytes=size, expected_bytes=length)  # type: ignore[no-any-return]
