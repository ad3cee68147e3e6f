"""The one retry policy."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays with jitter, without a deadline: whoever uses it decides when to stop. Seconds."""

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.2
    longest_asked: float = 300.0

    def next_delay(self, attempt: int, retry_after: float | None = None, rng: random.Random | None = None) -> float:
        """The delay after failed attempt number `attempt` (from 1). A server's Retry-After wins where it asks for more, up to five minutes."""
        delay = min(self.longest, self.first * self.factor ** min(attempt - 1, 32))
        spread = (rng or random).uniform(-self.jitter, self.jitter)
        delay *= 1 + spread
        if retry_after is not None:
            delay = max(delay, min(retry_after, self.longest_asked))
        return delay
