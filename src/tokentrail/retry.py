"""The retry policy."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays with jitter, in seconds. Without a deadline: the caller decides when to stop."""

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.2
    max_retry_after: float = 300.0

    def next_delay(self, attempt: int, retry_after: float | None = None, rng: random.Random | None = None) -> float:
        """Returns the delay after failed attempt number `attempt` (from 1). A longer Retry-After of the server wins, up to five minutes."""
        delay = min(self.longest, self.first * self.factor ** min(attempt - 1, 32))
        spread = (rng or random).uniform(-self.jitter, self.jitter)
        delay *= 1 + spread
        if retry_after is not None:
            delay = max(delay, min(retry_after, self.max_retry_after))
        return delay
