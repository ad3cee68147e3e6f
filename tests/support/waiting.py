"""Waiting for a condition with a deadline: the only way in which a test here lets time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, deadline_s: float = 30.0, every_s: float = 0.1) -> T:
    """Return the condition's value as soon as it is true; an AssertionError with the last value after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}; last seen: {value!r}")
        time.sleep(every_s)
