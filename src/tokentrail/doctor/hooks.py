"""Checks whether `opentelemetry-instrument` has switched on the hooks of this interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from tokentrail.doctor.finding import Finding

__all__ = ["check_hooks", "under_opentelemetry_instrument"]

COMMAND: Final = "opentelemetry-instrument"
LEFT_OUT: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def under_opentelemetry_instrument() -> bool:
    """Whether this interpreter was started by `opentelemetry-instrument`."""
    return "opentelemetry.instrumentation.auto_instrumentation" in sys.modules


def check_hooks(errors: Sequence[str], *, application: bool) -> Iterator[Finding]:
    """Yields findings on the hooks at the application's first line; `errors` are the errors that OpenTelemetry logged during its set-up."""
    from tokentrail.instrumentation.registry import instrumented  # noqa: PLC0415 - loads wrapt

    for error in errors:
        yield Finding(COMMAND, "wrong", " ".join(error.split()))
    if under_opentelemetry_instrument():
        if instrumented():
            yield Finding("hooks", "ok", f"{COMMAND} has armed them: every call of an SDK is counted")
        elif os.environ.get(LEFT_OUT):
            yield Finding(
                "hooks", "wrong", f"{COMMAND} has not armed them: {LEFT_OUT} is {os.environ[LEFT_OUT]!r}; nothing is counted without a decorator"
            )
        else:
            yield Finding(
                "hooks", "wrong", f"{COMMAND} has not armed them; only what is under a decorator or after tokentrail.instrument() is counted"
            )
    elif application:
        yield Finding("hooks", "note", f"nothing arms them before the program's first line: {COMMAND}, tokentrail.instrument() or a decorator does")
