"""The bridge: calls that another instrumentation has seen and tokentrail has not become usages, each once, with the origin `bridged`.

    import tokentrail.bridge

    tokentrail.bridge.install()        # after the program's OpenTelemetry SDK is set up

`names` attributes of both generations · `reading` a span's or an event's usage · `calls` which span tells of what · `processors` the SDK's side.
Spans that only the Collector gets, from services in any language, are taken in ClickHouse: `tokentrail migrate --bridge on`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentrail.bridge.processors import BridgeLogRecordProcessor, BridgeSpanProcessor

__all__ = ["BridgeLogRecordProcessor", "BridgeSpanProcessor", "install"]


def install(tracer_provider: Any = None, logger_provider: Any = None) -> bool:
    """Adds the bridge's processors to the providers, by default to the program's. Returns whether one of the providers took a processor.

    Call this function once, after the SDK is set up: a provider of the API alone takes no processor. A program that builds its providers itself adds
    `BridgeSpanProcessor()` and `BridgeLogRecordProcessor()` itself. Raises `ImportError` with one sentence if the SDK is not installed.
    """
    from opentelemetry import trace  # noqa: PLC0415 - the ledger's SQL reads `names`, and needs no OpenTelemetry
    from opentelemetry._logs import get_logger_provider  # noqa: PLC0415 - same

    try:
        from tokentrail.bridge.processors import BridgeLogRecordProcessor, BridgeSpanProcessor  # noqa: PLC0415 - needs the SDK
    except ImportError as error:
        raise ImportError('tokentrail.bridge needs the OpenTelemetry SDK: pip install "tokentrail[auto]"') from error
    add_spans = getattr(tracer_provider or trace.get_tracer_provider(), "add_span_processor", None)
    add_events = getattr(logger_provider or get_logger_provider(), "add_log_record_processor", None)
    if add_spans is not None:
        add_spans(BridgeSpanProcessor())
    if add_events is not None:
        add_events(BridgeLogRecordProcessor())
    return add_spans is not None or add_events is not None


def __getattr__(name: str) -> Any:
    if name not in ("BridgeLogRecordProcessor", "BridgeSpanProcessor"):
        raise AttributeError(f"module 'tokentrail.bridge' has no attribute {name!r}")
    from tokentrail.bridge import processors  # noqa: PLC0415 - needs the SDK

    return getattr(processors, name)
