"""The resource attributes of this process, the same for all its events: service, environment, host."""

from __future__ import annotations

import os
import socket

from opentelemetry import trace

from tokentrail import semconv
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.settings import Settings
from tokentrail.telemetry.program import program_name, service_named

__all__ = ["resource_attributes"]


def resource_attributes(settings: Settings, diagnostics: Diagnostics) -> dict[str, str | int]:
    """Returns the resource attributes: from the settings first, then the OpenTelemetry SDK's resource, then the program's name. Never raises."""
    try:
        return _attributes(settings)
    except Exception as error:  # an SDK's resource may hold any object; a usage counts also without the name of the service
        diagnostics.internal_error("telemetry.resource_attributes", error)
        return {semconv.SERVICE_NAME: program_name(), semconv.PROCESS_PID: os.getpid()}


def _attributes(settings: Settings) -> dict[str, str | int]:
    sdk = getattr(getattr(trace.get_tracer_provider(), "resource", None), "attributes", {})
    found: dict[str, str | int] = {str(name): value for name, value in settings.resource.items()}
    found[semconv.SERVICE_NAME] = settings.service_name or service_named(sdk.get(semconv.SERVICE_NAME)) or program_name()
    environment = settings.environment or str(sdk.get(semconv.ENVIRONMENT, ""))
    if environment:
        found[semconv.ENVIRONMENT] = environment
    for name in (semconv.SERVICE_VERSION, semconv.SERVICE_INSTANCE_ID):
        if name in sdk:
            found.setdefault(name, str(sdk[name]))
    found[semconv.HOST_NAME] = socket.gethostname()
    found[semconv.PROCESS_PID] = os.getpid()
    return found
