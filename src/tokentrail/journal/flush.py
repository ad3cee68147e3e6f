"""What `flush` waits for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokentrail.journal.background import Background

__all__ = ["flush_all"]

LOOK_SECONDS: Final = 0.01
"""Between two looks of a waiting flush at how far the journal is acknowledged, by this process or a sidecar."""
NUDGE_SECONDS: Final = 0.5
"""Between two times that a waiting flush cuts the shipper's pause short: a Collector that is away is not helped by more requests."""


def flush_all(backgrounds: Sequence[Background], timeout: float) -> bool:
    """Wait for all of them as `Background.flush` does for one."""
    waiting = [(background, background.target) for background in backgrounds]
    deadline = time.monotonic() + timeout
    nudge_at = 0.0
    while True:
        waiting = [(background, target) for background, target in waiting if not background.has_acknowledged(target)]
        if not waiting:
            # a record is put aside before the cursor passes it, by this process or a sidecar
            return all(background.told and not background.put_aside and not background.damaged for background in backgrounds)
        now = time.monotonic()
        if now >= deadline:
            return False
        if now >= nudge_at:
            nudge_at = now + NUDGE_SECONDS
            for background in backgrounds:
                background.nudge()
        time.sleep(min(LOOK_SECONDS, deadline - now))
