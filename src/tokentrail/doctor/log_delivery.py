"""Checks the delivery of `delivery="otel"`: the program's own LoggerProvider in the journal's place."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail.doctor.finding import Finding
from tokentrail.recording.log_delivery import provider_of_logs
from tokentrail.settings import Settings

__all__ = ["check_log_delivery"]

WHAT = "delivery"


def check_log_delivery(settings: Settings) -> Iterator[Finding]:
    """Yields the finding on the LoggerProvider. A program that sets the provider in its code has none before its first line."""
    provider = provider_of_logs()
    if settings.otel_sdk_disabled:
        yield Finding(WHAT, "wrong", 'delivery is "otel" and OTEL_SDK_DISABLED is set: usages are numbered and not sent')
    elif provider is not None:
        kind = type(provider)
        yield Finding(WHAT, "ok", f"usages go through the LoggerProvider ({kind.__module__}.{kind.__qualname__}) and not through the journal")
    else:
        yield Finding(
            WHAT,
            "note",
            'delivery is "otel", and no LoggerProvider is set before the program\'s first line: until the program calls '
            "opentelemetry._logs.set_logger_provider(), usages are numbered and not sent",
        )
