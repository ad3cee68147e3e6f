"""What describes this process, the same for all its events: service, environment, host."""

from __future__ import annotations

import os
import socket

from opentelemetry import trace

from tokentrail import semconv
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.settings import Settings
from tokentrail.telemetry.program import program_name

__all__ = ["resource_attributes"]


def resource_attributes(settings: Settings, diagnostics: Diagnostics) -> dict[str, str | int]:
    """The attributes of this process: settings first, then the OpenTelemetry SDK's resource, then the program's name. Never raises."""
    try:
        return _attributes(settings)
    except Exception as error:  # an SDK's own resource may be anything; the usage counts without its service's name
        diagnostics.internal_error("telemetry.resource_attributes", error)
        return {semconv.SERVICE_NAME: program_name(), semconv.PROCESS_PID: os.getpid()}


def _attributes(settings: Settings) -> dict[str, str | int]:
    sdk = getattr(getattr(trace.get_tracer_provider(), "resource", None), "attributes", {})
    found: dict[str, str | int] = {str(name): value for name, value in settings.resource.items()}
    found[semconv.SERVICE_NAME] = settings.service_name or _named(sdk.get(semconv.SERVICE_NAME)) or program_name()
    environment = settings.environment or str(sdk.get(semconv.ENVIRONMENT, ""))
    if environment:
        found[semconv.ENVIRONMENT] = environment
    for name in (semconv.SERVICE_VERSION, semconv.SERVICE_INSTANCE_ID):
        if name in sdk:
            found.setdefault(name, str(sdk[name]))
    found[semconv.HOST_NAME] = socket.gethostname()
    found[semconv.PROCESS_PID] = os.getpid()
    return found


def _named(service: object) -> str:
    """The SDK's name of the service; the SDK says `unknown_service:python` where nobody has named it."""
    return "" if service is None or str(service).partition(":")[0] == "unknown_service" else str(service)
