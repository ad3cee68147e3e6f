"""The arithmetic of retries: delays and the budget."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tokentrail.process.mutexes import Mutex

__all__ = ["RetryBudget", "RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays with full jitter, in seconds. The caller decides when to stop.

    Full jitter: any delay between 0 and the bound is equally likely, so that clients which failed together do not come back together. Source:
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0
    max_retry_after: float = 300.0

    def next_delay(self, attempt: int, retry_after: float | None = None, rng: random.Random | None = None) -> float:
        """Returns the delay after failed attempt number `attempt` (from 1).

        A pause that the server asks for is waited for whole, up to `max_retry_after`, and up to `first` longer: whoever was told the same second
        should not come back in it.
        """
        uniform = (rng or random).uniform
        delay = uniform(0.0, min(self.longest, self.first * self.factor ** min(attempt - 1, 32)))
        if retry_after is not None:
            asked = min(retry_after, self.max_retry_after)
            delay = max(delay, asked + uniform(0.0, min(self.first, asked)))
        return delay


class RetryBudget:
    """Bounds retries to a share of the calls, so that a provider which fails is not asked several times as often as one which works.

    Each call adds `ratio` to the budget, up to `burst`, with which the budget begins; each retry takes 1. An empty budget allows no retry. Safe to
    share between functions and threads.
    """

    __slots__ = ("_burst", "_left", "_mutex", "_ratio")

    def __init__(self, ratio: float = 0.2, burst: float = 10.0) -> None:
        """Raises `ValueError` for a ratio that is not between 0 and 1, and a burst below 1."""
        if not 0 <= ratio <= 1 or not burst >= 1:
            raise ValueError(f"a retry budget has a ratio between 0 and 1 and a burst of at least 1, not {ratio!r} and {burst!r}")
        self._ratio, self._burst, self._left = ratio, burst, float(burst)
        self._mutex = Mutex()

    def note_call(self) -> None:
        """Adds the share of one call."""
        with self._mutex.lock:
            self._left = min(self._burst, self._left + self._ratio)

    def take(self) -> bool:
        """Takes one retry; False if there is none left."""
        with self._mutex.lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
