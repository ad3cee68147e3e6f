"""The OpenTelemetry distro: applies another distro's settings, chooses a protocol that an installed exporter has, and always installs the hooks.

`opentelemetry-instrument` runs the distro, the configurators and the instrumentors in this order; an exception in a step ends all. The default distro
sets `OTEL_EXPORTER_OTLP_PROTOCOL=grpc`, and the SDK's configurator raises where no gRPC exporter is installed. The ledger depends on neither.
"""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.instrumentation.distro import BaseDistro, DefaultDistro  # type: ignore[attr-defined]
from opentelemetry.util._importlib_metadata import EntryPoint, entry_points

from tokentrail.instrumentation import registry
from tokentrail.recording.runtime import internal_error

__all__ = ["NAME", "TokentrailDistro"]

NAME: Final = "tokentrail"
"""The name of the distro's and of the instrumentor's entry point."""
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
LOGS_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"
ENDPOINTS: Final = ("TOKENTRAIL_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
HTTP_PORT: Final = 4318


class TokentrailDistro(BaseDistro):  # type: ignore[misc]
    """Configures the distro that OpenTelemetry would use without tokentrail, and changes no setting that works without tokentrail."""

    def __init__(self) -> None:
        self._other: BaseDistro = DefaultDistro()

    def _configure(self, **kwargs: Any) -> None:
        stated = bool(os.environ.get(PROTOCOL))
        try:
            self._other = _other_distro()
            self._other.configure(**kwargs)
        finally:
            try:
                if not stated:
                    _replace_default_protocol()
                _instrument_early()
            except Exception as error:
                internal_error("distro", error)

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Loads an instrumentor as the other distro does."""
        self._other.load_instrumentor(entry_point, **kwargs)


def _other_distro() -> BaseDistro:
    """Returns the first installed distro that is not tokentrail's: the one that OpenTelemetry would choose."""
    for point in entry_points(group="opentelemetry_distro"):
        if point.name != NAME:
            distro = point.load()()
            if isinstance(distro, BaseDistro):
                return distro
    return DefaultDistro()


def _replace_default_protocol() -> None:
    """Sets http/protobuf where gRPC is only a default: for the SDK if its gRPC exporter is missing, for the shipper if no endpoint asks for gRPC."""
    if os.environ.get(PROTOCOL, "grpc") == "grpc":  # the SDK's own default, too
        exporters = {point.name for point in entry_points(group="opentelemetry_traces_exporter")}
        if "otlp_proto_grpc" not in exporters and "otlp_proto_http" in exporters:
            os.environ[PROTOCOL] = "http/protobuf"
        elif not os.environ.get(LOGS_PROTOCOL) and not _asks_for_grpc():
            os.environ.setdefault("TOKENTRAIL_PROTOCOL", "http/protobuf")


def _asks_for_grpc() -> bool:
    """Whether the environment states an endpoint that may be a gRPC receiver."""
    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), "")
    try:
        return bool(endpoint) and urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port != HTTP_PORT
    except ValueError:
        return True


def _instrument_early() -> None:
    """Installs the hooks before the configurators run, unless the user has disabled tokentrail's instrumentation."""
    disabled = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if not disabled & {NAME, "*"}:
        registry.instrument()
