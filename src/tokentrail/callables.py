"""What kind a callable is, whatever wraps or holds the function."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["is_coroutine_function"]


def is_coroutine_function(function: Any) -> bool:
    """Whether a call returns a coroutine: a coroutine function, a partial of one, or an object whose `__call__` is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(type(function), "__call__", None))  # noqa: B004 - its kind is asked
