"""`setup_opentelemetry()`: an OpenTelemetry SDK for programs that have none."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from tokentrail import semconv
from tokentrail.process.current import current
from tokentrail.process.forks import no_fork
from tokentrail.process.names import load_name_service
from tokentrail.telemetry.program import program_name, service_named
from tokentrail.telemetry.providers import providers

__all__ = ["SIGNALS", "is_set", "missing_exporter", "setup_opentelemetry"]

logger = logging.getLogger("tokentrail")

SIGNALS: Final = ("traces", "metrics")
GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
INSTALL: Final = "pip install opentelemetry-exporter-otlp-proto-grpc"


def setup_opentelemetry(*, service_name: str = "", environment: str = "", resource: dict[str, str] | None = None) -> bool:
    """Sets up tracing and metrics with OTLP exporters under the standard `OTEL_*` variables. Returns True if the setup was done.

    The protocol is `http/protobuf` unless the variables state `grpc`. `service_name`, `environment` and `resource` describe the program and default
    to the settings; a service without a name gets its program's, as in the ledger. Call this function once, in the process that makes the calls
    (after a fork, not before).

    An SDK that the program has set up already, also only for traces or metrics, is never replaced: the function then returns False. Raises
    `ImportError` with one sentence if the SDK, or the exporter of the stated protocol, is not installed. Usage events need no SDK: usage events go
    through the journal.
    """
    with no_fork():  # an exporter imports its HTTP client when the exporter is created
        import netrc  # noqa: F401, PLC0415 - requests imports the module at its first request, in an exporter's thread

        load_name_service()  # for the same threads
        return _set_up(service_name, environment, resource)


def _set_up(service_name: str, environment: str, resource: dict[str, str] | None) -> bool:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ImportError('setup_opentelemetry() needs the OpenTelemetry SDK: pip install "tokentrail[auto]"') from error
    from opentelemetry import metrics, trace  # noqa: PLC0415

    if is_set(trace.get_tracer_provider()) or is_set(metrics.get_meter_provider()):
        logger.info("tokentrail: an OpenTelemetry SDK is set up already and stays as it is")
        return False
    if missing := missing_exporter(SIGNALS):
        raise ImportError(f"setup_opentelemetry(): {missing}")
    described = _resource(service_name, environment, resource or {})
    spans, sums = _exporter("traces", OTLPSpanExporter), _exporter("metrics", OTLPMetricExporter)
    tracing = TracerProvider(resource=described)
    tracing.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    metering = MeterProvider([PeriodicExportingMetricReader(sums)], resource=described)
    metrics.set_meter_provider(metering)
    providers.extend((tracing, metering))
    return True


def _resource(service_name: str, environment: str, further: dict[str, str]) -> Any:
    """Returns the resource that describes the program in spans and metrics."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    settings = current.settings
    named: dict[str, Any] = {**settings.resource, **further}
    if service_name or settings.service_name:
        named[semconv.SERVICE_NAME] = service_name or settings.service_name
    if environment or settings.environment:
        named[semconv.ENVIRONMENT] = environment or settings.environment
    described = Resource.create(named)
    if not service_named(described.attributes.get(semconv.SERVICE_NAME)):
        described = described.merge(Resource({semconv.SERVICE_NAME: program_name()}))
    return described


def _exporter(signal: str, over_http: Any) -> Any:
    """Creates the exporter of a signal for the stated protocol."""
    variable, protocol = _stated(signal)
    if protocol == GRPC:
        return _grpc_exporters(signal)[0].load()()
    if protocol not in ("", HTTP):
        logger.warning("tokentrail: %s is %r, which cannot be sent: %s go over %s", variable, protocol, signal, HTTP)
    return over_http()


def missing_exporter(signals: Iterable[str]) -> str:
    """Returns one sentence if a signal's protocol is gRPC and the gRPC exporter is not installed; else ""."""
    for signal in signals:
        variable, protocol = _stated(signal)
        if protocol == GRPC and not _grpc_exporters(signal):
            return f"{variable} is grpc, and the exporter of spans and metrics for it is not installed: {INSTALL}, or set {variable} to {HTTP}"
    return ""


def _stated(signal: str) -> tuple[str, str]:
    """Returns the variable that states the signal's protocol, and the value."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if protocol := os.environ.get(variable, "").strip():
            return variable, protocol
    return "", ""


def _grpc_exporters(signal: str) -> list[EntryPoint]:
    return list(entry_points(group=f"opentelemetry_{signal}_exporter", name="otlp_proto_grpc"))


def is_set(provider: Any) -> bool:
    """Whether the provider was set by a program; the API returns a proxy while no provider is set."""
    return "Proxy" not in type(provider).__name__ or not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
