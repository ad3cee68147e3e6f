"""All settings: keyword arguments of `configure()`, then `TOKENTRAIL_*`, then the standard `OTEL_*` variables. docs/settings.md lists them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from tokentrail.vocabulary import parse_operation

__all__ = ["Settings", "configure", "current"]

logger = logging.getLogger("tokentrail")

MIB: Final = 1024 * 1024
METRIC_GENERATIONS: Final = ("latest", "legacy", "both")


def default_journal_dir() -> str:
    """The user's state folder: `$XDG_STATE_HOME/tokentrail/journal`, or `~/.local/state/tokentrail/journal`."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")  # noqa: PTH111, PTH118 - pathlib costs the import
    return os.path.join(state, "tokentrail", "journal")  # noqa: PTH118


@dataclass(frozen=True, slots=True)
class Settings:
    """One value with every setting; `docs` in the fields' metadata is what the settings page says of them."""

    disabled: bool = field(default=False, metadata={"docs": "stops everything: no journal, spans, metrics"})
    tenant_id: str = field(default="", metadata={"docs": "the tenant where no decorator names one"})
    operations: Mapping[str, str] = field(
        default_factory=dict, metadata={"docs": "operation by endpoint where no decorator names one, e.g. `chat=query,embeddings=vector_search`"}
    )
    provider_hosts: Mapping[str, str] = field(default_factory=dict, metadata={"docs": "provider by host or host:port, e.g. `llm.internal:8000=vllm`"})
    include_usage: bool = field(default=True, metadata={"docs": "ask providers known to accept it for usage in streams, and hide it again"})
    estimate: bool = field(default=True, metadata={"docs": "count texts in the background where the provider states no counts"})
    content_hash_secret: str = field(
        default="",
        metadata={"docs": "shared secret of the content hash in automatic keys; empty: random per process, so that no prompt can be guessed"},
    )
    spans: bool = field(default=True, metadata={"docs": "a client span per call"})
    metrics: str = field(default="latest", metadata={"docs": "metric names: `latest`, `legacy`, `both` or `none`"})
    journal_dir: str = field(default_factory=default_journal_dir, metadata={"docs": "folder of the journal"})
    journal_max_bytes: int = field(
        default=1024 * MIB, metadata={"docs": "bound of the whole folder; beyond it events are refused, numbered and counted"}
    )
    journal_segment_bytes: int = field(default=8 * MIB, metadata={"docs": "size of one journal file"})
    journal_fsync: bool = field(default=False, metadata={"docs": "survive power loss too, at the cost of a disk flush per call"})
    ship: bool = field(default=True, metadata={"docs": "ship from this process; off where a sidecar runs `tokentrail journal ship --watch`"})
    ship_interval: float = field(default=1.0, metadata={"docs": "seconds between looks at the journal"})
    adopt_interval: float = field(default=30.0, metadata={"docs": "seconds between looks for journals of dead processes"})
    exit_timeout: float = field(default=2.0, metadata={"docs": "seconds that a program's end may wait for the shipper; nothing is lost without it"})
    endpoint: str = field(
        default="", metadata={"docs": "OTLP/HTTP address for logs, with path; else the standard variables, else http://localhost:4318/v1/logs"}
    )
    headers: Mapping[str, str] = field(default_factory=dict, metadata={"docs": "headers of the shipper's requests, e.g. `authorization=Bearer …`"})
    protocol: str = field(default="http/protobuf", metadata={"docs": "only `http/protobuf` can be shipped"})
    certificate: str = field(default="", metadata={"docs": "file with the CA certificate"})
    client_certificate: str = field(default="", metadata={"docs": "file with the client's certificate"})
    client_key: str = field(default="", metadata={"docs": "file with the client's key"})
    timeout: float = field(default=10.0, metadata={"docs": "seconds for one request; a request that fails is made again, without a deadline"})
    compression: str = field(default="gzip", metadata={"docs": "`gzip` or `none`"})
    service_name: str = field(default="", metadata={"docs": "service.name of the events"})
    environment: str = field(default="", metadata={"docs": "deployment.environment.name of the events"})
    resource: Mapping[str, str] = field(default_factory=dict, metadata={"docs": "further resource attributes"})
    otel_sdk_disabled: bool = field(default=False, metadata={"docs": "stops spans and metrics, not the ledger"})

    def with_(self, **changes: Any) -> Settings:
        """A copy with changes, each checked; raises `ValueError` or `TypeError` with one sentence."""
        names = {f.name for f in fields(self)}
        for name, value in changes.items():
            if name not in names:
                raise TypeError(f"tokentrail has no setting {name!r}: see docs/settings.md for {', '.join(sorted(names))}")
            check(name, value)
            if isinstance(value, Path):
                changes[name] = str(value)
        return replace(self, **changes)


def check(name: str, value: Any) -> None:
    """Raise `ValueError` with one sentence if the value cannot be that setting's."""
    if name == "operations":
        for operation in value.values():
            parse_operation(operation)
    elif name == "metrics" and value not in (*METRIC_GENERATIONS, "none"):
        raise ValueError(f"metrics={value!r}: use latest, legacy, both or none")
    elif name == "compression" and value not in ("gzip", "none"):
        raise ValueError(f"compression={value!r}: use gzip or none")
    elif name in ("journal_max_bytes", "journal_segment_bytes") and value < MIB // 4:
        raise ValueError(f"{name}={value!r}: at least {MIB // 4} bytes")
    elif name in ("timeout", "ship_interval", "adopt_interval") and not value > 0:
        raise ValueError(f"{name}={value!r}: seconds above 0")
    elif name == "content_hash_secret" and len(str(value).encode()) > 64:  # noqa: PLR2004 - BLAKE2b's longest key
        raise ValueError("content_hash_secret is longer than 64 bytes")


def parse_pairs(text: str) -> dict[str, str]:
    """`a=1,b=2` as in W3C baggage and OTEL_EXPORTER_OTLP_HEADERS: values may be percent-encoded."""
    pairs = {}
    for item in text.split(","):
        name, separator, value = item.partition("=")
        if item.strip() and not separator:
            raise ValueError(f"{item.strip()!r} is not name=value")
        if name.strip():
            pairs[name.strip()] = unquote(value.strip())
    return pairs


def parse_bool(text: str) -> bool:
    """`1 true yes on` and `0 false no off`, in any case; raises `ValueError` for anything else."""
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


_PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": parse_bool,
    "int": int,
    "float": float,
    "str": str,
    "Mapping[str, str]": parse_pairs,
}


def _otel(environ: Mapping[str, str]) -> dict[str, Any]:
    """The standard variables, in our names. A signal's own variable goes before the general one."""

    def first(*names: str) -> str:
        return next((environ[name] for name in names if environ.get(name)), "")

    def otlp(name: str) -> str:
        return first(f"OTEL_EXPORTER_OTLP_LOGS_{name}", f"OTEL_EXPORTER_OTLP_{name}")

    found: dict[str, Any] = {}
    if first("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"):
        found["endpoint"] = first("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
    elif first("OTEL_EXPORTER_OTLP_ENDPOINT"):
        found["endpoint"] = first("OTEL_EXPORTER_OTLP_ENDPOINT").rstrip("/") + "/v1/logs"
    for ours, theirs in (
        ("certificate", "CERTIFICATE"),
        ("client_certificate", "CLIENT_CERTIFICATE"),
        ("client_key", "CLIENT_KEY"),
        ("protocol", "PROTOCOL"),
    ):
        if otlp(theirs):
            found[ours] = otlp(theirs)
    if otlp("COMPRESSION"):
        found["compression"] = otlp("COMPRESSION")
    if otlp("TIMEOUT"):
        found["timeout"] = float(otlp("TIMEOUT"))
    headers = parse_pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")) | parse_pairs(environ.get("OTEL_EXPORTER_OTLP_LOGS_HEADERS", ""))
    if headers:
        found["headers"] = headers
    resource = parse_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    found["service_name"] = first("OTEL_SERVICE_NAME") or resource.pop("service.name", "")
    found["environment"] = resource.pop("deployment.environment.name", "") or resource.pop("deployment.environment", "")
    found["resource"] = resource
    found["otel_sdk_disabled"] = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return found


def from_environment(environ: Mapping[str, str], wrong: Callable[[str], None]) -> Settings:
    """Settings from variables. A value that cannot be read keeps its default and is told to `wrong` as one sentence."""
    settings = Settings()
    try:
        found = _otel(environ)
    except ValueError as error:
        wrong(f"an OTEL_* variable cannot be read: {error}")
        found = {}
    for name, value in found.items():
        try:
            settings = settings.with_(**{name: value})
        except (ValueError, TypeError) as error:
            wrong(f"an OTEL_* variable cannot be used: {error}")
    for f in fields(Settings):
        variable = f"TOKENTRAIL_{f.name.upper()}"
        if variable in environ:
            try:
                settings = settings.with_(**{f.name: _PARSERS[str(f.type)](environ[variable])})
            except (ValueError, TypeError) as error:
                wrong(f"{variable} cannot be used: {error}")
    return settings


_current: Settings | None = None
_listeners: list[Callable[[Settings], None]] = []


def current() -> Settings:
    """The settings in force; read from the environment at first use."""
    global _current  # noqa: PLW0603 - one process has one configuration
    if _current is None:
        _current = from_environment(os.environ, lambda sentence: logger.warning("tokentrail: %s; the default is used", sentence))
    return _current


def configure(**settings: Any) -> Settings:
    """Change settings by name, before or between calls; see docs/settings.md for all of them.

    Raises `ValueError` or `TypeError` with one sentence for a setting that does not exist or cannot have that value; nothing is changed then.
    """
    global _current  # noqa: PLW0603
    changed = current().with_(**settings)
    _current = changed
    for listener in _listeners:
        listener(changed)
    return changed


def on_change(listener: Callable[[Settings], None]) -> None:
    """Call `listener` after each `configure()`."""
    _listeners.append(listener)
