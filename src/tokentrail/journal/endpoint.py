"""The address and protocol of the Collector, and checks of both. Apart from the exporters, which import HTTP clients and protobuf."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from tokentrail.addresses import bare
from tokentrail.journal.headers import header_problem
from tokentrail.process.forks import no_fork
from tokentrail.settings import Settings

__all__ = ["DEFAULT_ENDPOINT", "DEFAULT_GRPC_ENDPOINT", "Target", "endpoint_of", "endpoint_problem", "grpc_target", "protocol_of", "why_not_grpc"]

DEFAULT_ENDPOINT: Final = "http://localhost:4318/v1/logs"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
GRPC_PORT: Final = 4317
HTTP_PORT: Final = 4318
LOGS_PATH: Final = "/v1/logs"
GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
INSTALL: Final = 'pip install "tokentrail[grpc]"'


@dataclass(frozen=True, slots=True)
class Target:
    """A gRPC server: host and port, or the path of a unix socket; `tls`: the connection is encrypted."""

    tls: bool
    host: str = "localhost"
    port: int = 0
    unix: str = ""

    def __str__(self) -> str:
        if self.unix:
            return f"unix:{self.unix}"
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as HTTP/2's `:authority`."""
        if self.unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def grpc_is_installed() -> bool:
    """Whether the extra `grpc` is installed."""
    try:
        with no_fork():  # imports `google`
            return find_spec("h2") is not None and find_spec("google.rpc") is not None
    except (ImportError, ValueError):  # `google` itself is missing, or a module is only a name
        return False


def protocol_of(settings: Settings) -> str:
    """Returns the protocol that records are shipped with.

    gRPC without an address becomes http/protobuf where the extra is missing: OpenTelemetry's distro sets `OTEL_EXPORTER_OTLP_PROTOCOL=grpc` where no
    protocol is set, and a Collector accepts both protocols on its standard ports.
    """
    return HTTP if why_not_grpc(settings) else settings.protocol


def why_not_grpc(settings: Settings) -> str:
    """Returns the reason why the protocol `grpc` is not used; empty if that protocol is used or not stated."""
    if settings.protocol == GRPC and not settings.endpoint and not grpc_is_installed():
        return f"the protocol grpc is stated without an address, and the package for it is not installed: {INSTALL}"
    return ""


def endpoint_of(settings: Settings) -> str:
    """Returns the address that records are sent to."""
    if protocol_of(settings) != GRPC:
        return settings.endpoint or DEFAULT_ENDPOINT
    try:
        return str(grpc_target(settings))
    except ValueError:
        return settings.endpoint


def grpc_target(settings: Settings) -> Target:
    """Returns the gRPC server of `http://host:4317`, `https://host`, `host:4317` (encrypted, unless the setting `insecure`) or `unix:/path`.

    Raises `ValueError` with one sentence.
    """
    text = (settings.endpoint or DEFAULT_GRPC_ENDPOINT).removesuffix(LOGS_PATH).removeprefix("dns:///")
    if text.startswith("unix:"):
        return Target(tls=False, unix=text.removeprefix("unix:").removeprefix("//"))
    address = text if "://" in text else f"{'http' if settings.insecure else 'https'}://{text}"
    wrong = f"{bare(text)!r} is no address of a gRPC server: use http://host:4317, https://host:4317 or unix:/path"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(wrong)
    tls = parts.scheme == "https"
    return Target(tls, parts.hostname, port if port is not None else 443 if tls else 80)


def endpoint_problem(settings: Settings) -> str | None:
    """Returns one sentence if the address, protocol, headers or certificates cannot work, else `None`."""
    protocol = protocol_of(settings)
    if protocol not in (GRPC, HTTP):
        return f"the protocol {settings.protocol!r} cannot be shipped: use http/protobuf or grpc"
    problem = _grpc_problem(settings) if protocol == GRPC else _http_problem(settings)
    if problem := problem or header_problem(settings.headers, grpc=protocol == GRPC):
        return problem
    for name in ("certificate", "client_certificate", "client_key"):
        path = getattr(settings, name)
        if path and not os.access(path, os.R_OK):
            return f"{path} cannot be read: give the file with the {name.replace('_', ' ')} (setting {name})"
    return None


def _grpc_problem(settings: Settings) -> str | None:
    if not grpc_is_installed():
        return (
            f"the protocol is grpc, which needs one more package: {INSTALL}, "
            f"or set TOKENTRAIL_ENDPOINT to the Collector's OTLP/HTTP address, e.g. {DEFAULT_ENDPOINT}, and TOKENTRAIL_PROTOCOL to http/protobuf"
        )
    try:
        target = grpc_target(settings)
    except ValueError as error:
        return str(error)
    if target.port == HTTP_PORT:
        return (
            f"{target} is the Collector's OTLP/HTTP port (4318), and the protocol is grpc: use its gRPC port, e.g. http://{target.host}:4317, "
            "or set TOKENTRAIL_PROTOCOL to http/protobuf"
        )
    return None


def _http_problem(settings: Settings) -> str | None:
    endpoint = settings.endpoint or DEFAULT_ENDPOINT
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return f"{bare(endpoint)!r} is not an address: use http://host:4318/v1/logs"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{bare(endpoint)!r} is not an http(s) address: use http://host:4318/v1/logs"
    if port == GRPC_PORT:
        return (
            f"{bare(endpoint)} is the Collector's gRPC port (4317): an HTTP request is reset there; use its HTTP port, "
            f"e.g. http://{parts.hostname}:4318/v1/logs, or {INSTALL} and set TOKENTRAIL_PROTOCOL to grpc"
        )
    return None
