"""Where records are sent to, and whether that can work. Apart from the exporter, which loads the HTTP client and protobuf."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from tokentrail.settings import Settings

__all__ = ["DEFAULT_ENDPOINT", "endpoint_of", "endpoint_problem"]

DEFAULT_ENDPOINT: Final = "http://localhost:4318/v1/logs"
GRPC_PORT: Final = 4317


def endpoint_of(settings: Settings) -> str:
    """The address that records are sent to."""
    return settings.endpoint or DEFAULT_ENDPOINT


def endpoint_problem(settings: Settings) -> str | None:
    """One sentence if the address, protocol or certificates cannot work, `None` if they may."""
    endpoint = endpoint_of(settings)
    if settings.protocol == "grpc":
        return (
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, but the journal is shipped over OTLP/HTTP: "
            "set TOKENTRAIL_ENDPOINT to the Collector's HTTP address, e.g. http://localhost:4318/v1/logs, and TOKENTRAIL_PROTOCOL to http/protobuf"
        )
    if settings.protocol != "http/protobuf":
        return f"the protocol {settings.protocol!r} cannot be shipped: use http/protobuf"
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return f"{endpoint!r} is not an address: use http://host:4318/v1/logs"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{endpoint!r} is not an http(s) address: use http://host:4318/v1/logs"
    if port == GRPC_PORT:
        return f"{endpoint} is the Collector's gRPC port (4317): an HTTP request is reset there; use its HTTP port, e.g. http://{parts.hostname}:4318/v1/logs"
    for name in ("certificate", "client_certificate", "client_key"):
        path = getattr(settings, name)
        if path and not os.access(path, os.R_OK):
            return f"{path} cannot be read: give the file with the {name.replace('_', ' ')} (setting {name})"
    return None
