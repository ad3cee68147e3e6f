"""Checks whether spans and metrics can be sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

from opentelemetry import trace

from tokentrail.doctor.finding import Finding, version_of
from tokentrail.doctor.hooks import under_opentelemetry_instrument
from tokentrail.settings import Settings
from tokentrail.telemetry.setup import SIGNALS, is_set, missing_exporter

__all__ = ["check_spans"]

WHAT: Final = "spans and metrics"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"


def check_spans(settings: Settings) -> Iterator[Finding]:
    """Yields findings on the OpenTelemetry SDK and its distro. Spans and metrics are optional, the ledger is not."""
    if settings.disabled:
        yield Finding("tokentrail", "note", "TOKENTRAIL_DISABLED is set: nothing is recorded")
    version = version_of("opentelemetry-sdk")
    if version is None:
        yield Finding(WHAT, "note", 'no OpenTelemetry SDK is installed: only the ledger is written (pip install "tokentrail[auto]")')
    elif settings.otel_sdk_disabled:
        yield Finding(WHAT, "note", "OTEL_SDK_DISABLED is set: only the ledger is written")
    elif under_opentelemetry_instrument():
        yield _check_set_up(version)
    elif version_of("opentelemetry-distro") is None:
        yield Finding(WHAT, "note", "opentelemetry-distro is not installed: `opentelemetry-instrument` then sends no spans")
    else:
        yield from _check_environment(version)


def _check_set_up(version: str) -> Finding:
    """Returns the finding on the SDK that `opentelemetry-instrument` has set up in this interpreter."""
    protocol = os.environ.get(PROTOCOL, "grpc")
    if missing := _missing():
        return missing
    if is_set(trace.get_tracer_provider()):
        return Finding(WHAT, "ok", f"opentelemetry-sdk {version} is set up; what goes over OTLP goes over {protocol} ({PROTOCOL})")
    return Finding(WHAT, "wrong", f"opentelemetry-instrument has set up no SDK: only the ledger is written ({PROTOCOL} is {protocol})")


def _missing() -> Finding | None:
    """Returns the finding on a missing exporter for the stated protocol, which applies to every set-up of the SDK; None if there is none."""
    over_otlp = [signal for signal in SIGNALS if "otlp" in os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp")]
    sentence = missing_exporter(over_otlp)
    return Finding(WHAT, "wrong", f"{sentence}; until then only the ledger is written") if sentence else None


def _check_environment(version: str) -> Iterator[Finding]:
    """Yields findings on what `opentelemetry-instrument` would set up in this environment."""
    if missing := _missing():
        yield missing
        return
    yield Finding(WHAT, "ok", f"opentelemetry-sdk {version}")
    has_grpc = any(point.name == "otlp_proto_grpc" for point in entry_points(group="opentelemetry_traces_exporter"))
    if os.environ.get(PROTOCOL) is None and has_grpc:
        yield Finding(
            WHAT,
            "note",
            f"`opentelemetry-instrument` sets {PROTOCOL} to grpc where nothing is set (opentelemetry-distro): "
            "see what the application sees with `tokentrail doctor -- opentelemetry-instrument python app.py`",
        )
