"""Whether spans and metrics can be made."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail import settings
from tokentrail.doctor.finding import Finding, version_of

__all__ = ["check_spans"]


def check_spans(in_force: settings.Settings) -> Iterator[Finding]:
    """The OpenTelemetry SDK and its distro; spans and metrics are optional, the ledger is not."""
    if in_force.disabled:
        yield Finding("tokentrail", "note", "TOKENTRAIL_DISABLED is set: nothing is recorded")
    if version_of("opentelemetry-sdk") is None:
        yield Finding("spans and metrics", "note", 'no OpenTelemetry SDK is installed: only the ledger is written (pip install "tokentrail[auto]")')
    elif in_force.otel_sdk_disabled:
        yield Finding("spans and metrics", "note", "OTEL_SDK_DISABLED is set: only the ledger is written")
    elif version_of("opentelemetry-distro") is None:
        yield Finding("spans and metrics", "note", "opentelemetry-distro is not installed: `opentelemetry-instrument` then sends no spans")
    else:
        yield Finding("spans and metrics", "ok", f"opentelemetry-sdk {version_of('opentelemetry-sdk')}")
