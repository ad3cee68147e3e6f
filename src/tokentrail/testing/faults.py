"""What may go wrong with a replayed answer, what a URL of the replay server asks for, and what a test can see of a request."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Faults", "Plan", "Served"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong with an answer. A plain answer is one chunk; 0 chunks is before the status line.

    `fail_first` requests get `fail_status` (with `Retry-After: retry_after` seconds, if that is set), then the recording follows.
    After `cut_after` chunks the connection is closed, before the body's end was said; after `hang_after` chunks nothing more comes until the
    client goes away. Raises `ValueError` for numbers that mean nothing.
    """

    fail_first: int = 0
    fail_status: int = 503
    retry_after: float | None = None
    cut_after: int | None = None
    hang_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("fail_first", "cut_after", "hang_after"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative")
        if not 400 <= self.fail_status <= 599:  # noqa: PLR2004 - the statuses that mean failure
            raise ValueError(f"fail_status must be between 400 and 599, not {self.fail_status}")
        if self.retry_after is not None and not (self.retry_after >= 0 and math.isfinite(self.retry_after)):
            raise ValueError("retry_after must be a number of seconds, 0 or more")

    def stops_at(self, chunks: int) -> bool:
        """Whether nothing follows after this many chunks."""
        return chunks in {self.cut_after, self.hang_after}


class Served(NamedTuple):
    """A request that came, and what answered it: `recording` is None if nothing did, or if it was made to fail."""

    provider: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    status: int
    recording: str | None
    match: str


@dataclass(slots=True)
class Plan:
    """What a URL asks for, and how many requests it has had."""

    recording: str | None
    faults: Faults
    delay: float
    seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fails_now(self) -> bool:
        """Count a request; say whether it is one of those that fail."""
        with self._lock:
            self.seen += 1
            return self.seen <= self.faults.fail_first
