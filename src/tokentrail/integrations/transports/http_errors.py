"""Exceptions of the HTTP client below an SDK: httpx, or httpx2 from openai 3 on. Neither is imported here; who raises them has been imported."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["http_errors"]

_CLIENTS: Final = ("httpx", "httpx2")


def http_errors(name: str, *others: type[Exception]) -> tuple[type[Exception], ...]:
    """The exception of that name in each client that is loaded, and the others, for an `except` clause."""
    found = (getattr(sys.modules.get(client), name, None) for client in _CLIENTS)
    return *others, *(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))
