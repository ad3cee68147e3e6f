"""Exceptions of the HTTP client below an SDK: httpx, or httpx2 from openai 3 on. Imports neither: a client that raises is imported already."""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["content_of", "http_errors"]

_CLIENTS: Final = ("httpx", "httpx2")


def http_errors(name: str, *others: type[Exception]) -> tuple[type[Exception], ...]:
    """Returns the exception of that name of each imported client, and the others, for an `except` clause."""
    found = (getattr(sys.modules.get(client), name, None) for client in _CLIENTS)
    return *others, *(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))


def content_of(response: Any) -> bytes | None:
    """Returns the body of an HTTP response; `None` if the body is unread, or was read in pieces."""
    try:
        return bytes(response.content)
    except http_errors("ResponseNotRead"):
        return None
