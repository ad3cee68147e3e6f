"""Answers that are given to several requests: what can be read only once, and the responses of web frameworks, which change while they are sent."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final

__all__ = ["is_read_once", "own_copy"]

_FRAMEWORKS: Final = frozenset({"starlette", "fastapi", "werkzeug", "flask", "django", "quart", "litestar"})
_NAMES: Final = frozenset({"Response", "HttpResponseBase"})


def is_read_once(value: Any) -> bool:
    """Whether a value is empty for its second reader: an iterator, a coroutine, a streaming response; also a value that cannot be asked."""
    try:
        if isinstance(value, (Iterator, AsyncIterator, Coroutine)):
            return True
        if not _is_response(value):
            return False
        return hasattr(value, "body_iterator") or getattr(value, "is_streamed", False) is True or getattr(value, "streaming", False) is True
    except Exception:  # of a proxy's class, or of a property
        return True


def own_copy(value: Any) -> Any:
    """Returns a web response of one's own; any other value as it is.

    A framework adds to the response that it sends: cookies of the session, and the background tasks of the request, which belong to one caller, and
    would be run again for the next. Background tasks are no part of the copy.
    """
    if not _is_response(value):
        return value
    try:
        alike = copy.copy(value)
        if "background" in vars(alike):
            alike.background = None
        vars(alike).update(copy.deepcopy(vars(alike)))
    except Exception:  # of an attribute that cannot be copied
        return value
    return alike


def _is_response(value: Any) -> bool:
    return any(kind.__name__ in _NAMES and kind.__module__.partition(".")[0] in _FRAMEWORKS for kind in type(value).__mro__)
