"""The distro that `opentelemetry-instrument` configures: another distro's settings, a protocol that can be sent, and armed hooks in any case.

The order of `opentelemetry-instrument` is: distro, configurators, instrumentors; what one of them raises ends all. The usual distro sets
`OTEL_EXPORTER_OTLP_PROTOCOL=grpc`, and the SDK's configurator raises where no gRPC exporter is installed. The ledger depends on neither.
"""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.instrumentation.distro import BaseDistro, DefaultDistro  # type: ignore[attr-defined]
from opentelemetry.util._importlib_metadata import EntryPoint, entry_points

from tokentrail import instrumentation
from tokentrail.recording.runtime import internal_error

__all__ = ["NAME", "TokentrailDistro"]

NAME: Final = "tokentrail"
"""Of the distro's and of the instrumentor's entry point."""
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
LOGS_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"
ENDPOINTS: Final = ("TOKENTRAIL_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
HTTP_PORT: Final = 4318


class TokentrailDistro(BaseDistro):  # type: ignore[misc]
    """Configures the distro that would have been taken without tokentrail; nothing that works without tokentrail is changed."""

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
                _arm()
            except Exception as error:
                internal_error("distro", error)

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Load an instrumentor in the other distro's way."""
        self._other.load_instrumentor(entry_point, **kwargs)


def _other_distro() -> BaseDistro:
    """The first installed distro beside this one, as OpenTelemetry would choose it."""
    for point in entry_points(group="opentelemetry_distro"):
        if point.name != NAME:
            distro = point.load()()
            if isinstance(distro, BaseDistro):
                return distro
    return DefaultDistro()


def _replace_default_protocol() -> None:
    """Set http/protobuf where gRPC is only a default: for the SDK if its gRPC exporter is missing, for the shipper if no endpoint asks for gRPC."""
    if os.environ.get(PROTOCOL, "grpc") == "grpc":  # the SDK's own default, too
        exporters = {point.name for point in entry_points(group="opentelemetry_traces_exporter")}
        if "otlp_proto_grpc" not in exporters and "otlp_proto_http" in exporters:
            os.environ[PROTOCOL] = "http/protobuf"
        elif not os.environ.get(LOGS_PROTOCOL) and not _asks_for_grpc():
            os.environ.setdefault("TOKENTRAIL_PROTOCOL", "http/protobuf")


def _asks_for_grpc() -> bool:
    """Whether an endpoint is stated that may be a gRPC receiver."""
    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), "")
    try:
        return bool(endpoint) and urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port != HTTP_PORT
    except ValueError:
        return True


def _arm() -> None:
    """Put the hooks on before the configurators run, unless the user leaves this instrumentation out."""
    left_out = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if not left_out & {NAME, "*"}:
        instrumentation.instrument()
