"""Faults of replayed answers, the plan of a replay server's URL, and the requests that were served."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Faults", "Plan", "Served"]


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of an answer. A plain answer is one chunk; 0 chunks means before the status line.

    The first `fail_first` requests get `fail_status` (with `Retry-After: retry_after` seconds, if that is set), later ones the recording.
    After `cut_after` chunks the connection is closed, before the end of the body; after `hang_after` chunks nothing more is sent until the
    client closes the connection. Raises `ValueError` for invalid numbers.
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
        if not 400 <= self.fail_status <= 599:  # noqa: PLR2004 - the HTTP statuses of errors
            raise ValueError(f"fail_status must be between 400 and 599, not {self.fail_status}")
        if self.retry_after is not None and not (self.retry_after >= 0 and math.isfinite(self.retry_after)):
            raise ValueError("retry_after must be a number of seconds, 0 or more")

    def stops_at(self, chunks: int) -> bool:
        """Whether nothing is sent after this number of chunks."""
        return chunks in {self.cut_after, self.hang_after}


class Served(NamedTuple):
    """A request, and the recording that answered the request: `recording` is None if there is none, or if the request failed by `Faults`."""

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
    """The recording, faults and delay of a URL, and the number of requests to the URL."""

    recording: str | None
    faults: Faults
    delay: float
    seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fails_now(self) -> bool:
        """Counts a request; returns whether the request must fail."""
        with self._lock:
            self.seen += 1
            return self.seen <= self.faults.fail_first
