"""Waits until the records of writers are acknowledged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokentrail.journal.background import Background

__all__ = ["flush_all"]

POLL_SECONDS: Final = 0.01
"""Interval at which a waiting flush reads how far the journal is acknowledged, by this process or a sidecar."""
WAKE_SECONDS: Final = 0.5
"""Interval at which a waiting flush ends the shipper's pause: more requests do not help an unreachable Collector."""


def flush_all(backgrounds: Sequence[Background], timeout: float) -> bool:
    """Waits for the records of several writers, as `Background.flush` does for the records of one."""
    waiting = [(background, background.target) for background in backgrounds]
    deadline = time.monotonic() + timeout
    wake_at = 0.0
    while True:
        waiting = [(background, target) for background, target in waiting if not background.has_acknowledged(target)]
        if not waiting:
            # a record is put aside before the cursor passes it, by this process or a sidecar
            return all(background.refusals_reported and not background.put_aside and not background.damaged for background in backgrounds)
        now = time.monotonic()
        if now >= deadline:
            return False
        if now >= wake_at:
            wake_at = now + WAKE_SECONDS
            for background in backgrounds:
                background.wake()
        time.sleep(min(POLL_SECONDS, deadline - now))
