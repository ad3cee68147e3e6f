"""The providers that `setup_opentelemetry()` has set up: the program's own SDK is the program's to flush."""

from __future__ import annotations

import time
from typing import Any, Final

from tokentrail.process.current import current

__all__ = ["flush_providers", "providers"]

providers: Final[list[Any]] = []


def flush_providers(timeout: float) -> None:
    """Sends the spans and metrics that still lie in memory, for at most `timeout` seconds; never raises."""
    deadline = time.monotonic() + timeout
    for provider in providers:
        left = deadline - time.monotonic()
        if left > 0:
            try:
                provider.force_flush(int(left * 1000))
            except Exception as error:  # of an exporter
                current.runtime.diagnostics.internal_error("flush of spans and metrics", error)
