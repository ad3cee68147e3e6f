"""`setup_opentelemetry()`: an OpenTelemetry SDK for programs that have none."""

from __future__ import annotations

import logging
from typing import Any

from tokentrail import semconv
from tokentrail.process.current import current
from tokentrail.process.forks import no_fork

__all__ = ["is_set", "setup_opentelemetry"]

logger = logging.getLogger("tokentrail")


def setup_opentelemetry(*, service_name: str = "", environment: str = "", resource: dict[str, str] | None = None) -> bool:
    """Set up tracing and metrics with OTLP/HTTP exporters under the standard `OTEL_*` variables; true if that was done.

    `service_name`, `environment` and `resource` describe the program; what is left out comes from the settings. Call it once, in the process that
    makes the calls (after a fork, not before).

    An SDK that the program has set up already, even one of its two halves, is never replaced: then nothing happens and the answer is false. Raises
    `ImportError` with one sentence where the SDK is not installed. Usage events do not need it: they travel by the journal.
    """
    with no_fork():  # the exporters import their HTTP client when they are made
        return _set_up(service_name, environment, resource)


def _set_up(service_name: str, environment: str, resource: dict[str, str] | None) -> bool:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ImportError('setup_opentelemetry() needs the OpenTelemetry SDK: pip install "tokentrail[auto]"') from error
    from opentelemetry import metrics, trace  # noqa: PLC0415

    if is_set(trace.get_tracer_provider()) or is_set(metrics.get_meter_provider()):
        logger.info("tokentrail: an OpenTelemetry SDK is set up already and stays as it is")
        return False
    in_force = current.settings
    named: dict[str, Any] = {**in_force.resource, **(resource or {})}
    if service_name or in_force.service_name:
        named[semconv.SERVICE_NAME] = service_name or in_force.service_name
    if environment or in_force.environment:
        named[semconv.ENVIRONMENT] = environment or in_force.environment
    described = Resource.create(named)
    tracing = TracerProvider(resource=described)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=described))
    return True


def is_set(provider: Any) -> bool:
    """Whether anybody has set it; the API's proxies stand for what nobody has set yet."""
    return "Proxy" not in type(provider).__name__ or not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
