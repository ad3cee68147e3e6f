"""All settings: keyword arguments of `configure()`, then `TOKENTRAIL_*`, then the standard `OTEL_*` variables. docs/settings.md lists them."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from tokentrail.addresses import bare
from tokentrail.environment import NAMED, PARSERS, READERS, Fsync, parse_fsync
from tokentrail.host_rules import own_hosts, rules_of
from tokentrail.vocabulary import parse_operation

__all__ = ["Settings", "check_url", "from_environment"]

logger = logging.getLogger("tokentrail")

MIB: Final = 1024 * 1024
OTEL: Final = "otel"
DELIVERIES: Final = ("journal", OTEL)
METRIC_GENERATIONS: Final = ("latest", "legacy", "both")

MetricNames: TypeAlias = Literal["latest", "legacy", "both", "none"]
Compression: TypeAlias = Literal["gzip", "none"]
DeliveryName: TypeAlias = Literal["journal", "otel"]
Protocol: TypeAlias = Literal["http/protobuf", "http/json", "grpc"]  # the specification's


def default_journal_dir() -> str:
    """Returns `$XDG_STATE_HOME/tokentrail/journal`, or `~/.local/state/tokentrail/journal`: a folder in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")  # noqa: PTH111, PTH118 - pathlib costs the import
    return os.path.join(state, "tokentrail", "journal")  # noqa: PTH118


def _otlp(name: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_LOGS_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def _setting(default: Any, docs: str, *standard: str, secret: bool = False) -> Any:
    """Returns a field with its text for docs/settings.md and the standard variables, which are read in this order if `TOKENTRAIL_*` is not set."""
    described = {"docs": docs, "standard": standard}
    if callable(default):
        return field(default_factory=default, repr=not secret, metadata=described)
    return field(default=default, repr=not secret, metadata=described)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, as one value."""

    disabled: bool = _setting(False, "stops everything: no journal, no spans, no metrics; `track_token_usage` still returns a key")
    tenant_id: str = _setting("", "the tenant where no decorator names one")
    operations: Mapping[str, str] = _setting(dict, "operation by endpoint where no decorator names one: `chat=query,embeddings=vector_search`")
    provider_hosts: Mapping[str, str] = _setting(
        dict,
        "provider by `host`, `host:port`, pattern or path: `vllm.internal:8000=vllm,*.llm.internal=litellm,gw.internal/groq=groq`; "
        "the most specific one wins (see services.md)",
    )
    baggage_hosts: tuple[str, ...] = _setting(
        (),
        "one's own services: requests to these hosts carry tenant and operation id as W3C baggage, a provider's never do. `host`, `host:port` or "
        "pattern: `query.internal,*.svc.cluster.local,127.0.0.1:8001` (see services.md)",
    )
    include_usage: bool = _setting(True, "request usage in streams from providers that accept this; callers who did not request usage do not see it")
    estimate: bool = _setting(True, "count texts in the background where the provider states no counts")
    tokenizer_download: bool = _setting(False, "let tiktoken download a vocabulary that is not on this machine")
    content_hash_secret: str = _setting(
        "",
        "shared secret (up to 64 bytes) of the content hash in automatic keys: equal prompts have equal hashes in every process that has it; "
        "empty: random per process, so that no prompt can be guessed from its hash",
        secret=True,
    )
    spans: bool = _setting(True, "a client span per call, and one per `track_tokens` block")
    metrics: str = _setting("latest", "names of the metrics: `latest`, `legacy`, `both` or `none`")
    all_histograms: bool = _setting(
        False,
        "with `latest` names: histograms of single calls' tokens and of the time to a stream's first chunk too (see operations.md)",
    )
    delivery: str = _setting(
        "journal",
        "who takes the usages: `journal`, files from which they are shipped; or `otel`, the program's own LoggerProvider, which has them in memory: "
        "what it drops is lost, and `verify` names it (see operations.md)",
    )
    journal_dir: str = _setting(default_journal_dir, "folder of the journal; `~` is the user's home")
    journal_max_bytes: int = _setting(1024 * MIB, "bound of the whole folder; beyond it events are refused, numbered and counted")
    journal_segment_bytes: int = _setting(8 * MIB, "size of one journal file")
    journal_fsync: Fsync = _setting(  # noqa: RUF009 - an alias of immutable types
        "never",
        "when records are synced to disk, to survive power loss too: `never`; `always`, a sync within each call; or milliseconds (2 to 60000), "
        "one sync for all calls of that time, beside the calls (see operations.md). `true` and `1` are `always`, `false` and `0` are `never`",
    )
    ship: bool = _setting(True, "ship from this process; off where a sidecar runs `tokentrail journal ship --watch`")
    ship_interval: float = _setting(1.0, "seconds between two checks of the journal")
    adopt_interval: float = _setting(30.0, "seconds between two searches for journals of dead processes")
    exit_timeout: float = _setting(2.0, "seconds that a program's end may wait for the shipper; nothing is lost without it")
    endpoint: str = _setting(
        "",
        "OTLP address for logs. Over HTTP with its path; empty: `http://localhost:4318/v1/logs`; to the general variable `/v1/logs` is added. "
        "Over gRPC `http://host:4317`, `https://host:4317` (TLS), `host:4317` or `unix:/path`; empty: `http://localhost:4317`",
        *_otlp("ENDPOINT"),
        secret=True,  # it may have a password in it
    )
    insecure: bool = _setting(False, "over gRPC, to an address without `http://` or `https://`: no TLS", *_otlp("INSECURE"))
    headers: Mapping[str, str] = _setting(dict, "headers of the shipper's requests: `authorization=Bearer%20…`", *_otlp("HEADERS"), secret=True)
    protocol: str = _setting(
        "http/protobuf",
        "`http/protobuf`, or `grpc` with the extra `tokentrail[grpc]` (without that extra and without an `endpoint`: http/protobuf); "
        "with another one records stay in the journal",
        *_otlp("PROTOCOL"),
    )
    certificate: str = _setting("", "file with the CA certificate", *_otlp("CERTIFICATE"))
    client_certificate: str = _setting("", "file with the client's certificate", *_otlp("CLIENT_CERTIFICATE"))
    client_key: str = _setting("", "file with the client's key", *_otlp("CLIENT_KEY"))
    timeout: float = _setting(
        10.0,
        "seconds for one request, which is made again without a deadline if it fails. The standard variables are seconds too, "
        "as opentelemetry-python reads them (1.45), not the specification's milliseconds",
        *_otlp("TIMEOUT"),
    )
    compression: str = _setting("gzip", "`gzip` or `none`", *_otlp("COMPRESSION"))
    service_name: str = _setting(
        "", "`service.name` of the events; else the OpenTelemetry SDK's, else the program's name", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"
    )
    environment: str = _setting("", "`deployment.environment.name` of the events", "OTEL_RESOURCE_ATTRIBUTES")
    resource: Mapping[str, str] = _setting(dict, "further resource attributes: `team=search,region=eu`", "OTEL_RESOURCE_ATTRIBUTES")
    budget_dsn: str = _setting(
        "",
        "ClickHouse, for `track_tokens(budget=…)`: `http://user:password@host:8123/tokentrail`, with the extra `tokentrail[cli]`; empty: no "
        "budget is looked at (see services.md)",
        secret=True,
    )
    budget_interval: float = _setting(60.0, "seconds between two looks at the budgets")
    budget_max_age: float = _setting(900.0, "seconds after which what is known of budgets holds no call any more, if ClickHouse does not answer")
    otel_sdk_disabled: bool = _setting(False, "stops spans and metrics, not the ledger", "OTEL_SDK_DISABLED")

    def with_(self, **changes: Any) -> Settings:
        """Returns a copy with checked changes; raises `ValueError` or `TypeError` with one sentence."""
        kinds = {f.name: str(f.type) for f in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in kinds:
                raise TypeError(f"tokentrail has no setting {name!r}: see docs/settings.md for {', '.join(sorted(kinds))}")
            checked[name] = _convert(name, kinds[name], value)
            check(name, checked[name])
        if "resource" in checked:  # attributes that have their own settings
            service, *environments = (checked["resource"].pop(key, "") for key in NAMED)
            for name, value in (("service_name", service), ("environment", next(filter(None, environments), ""))):
                if value:
                    checked.setdefault(name, value)
        return replace(self, **checked)


_SECRETS: Final = frozenset(f.name for f in fields(Settings) if not f.repr)
_PATHS: Final = ("journal_dir", "certificate", "client_certificate", "client_key")


def _convert(name: str, kind: str, value: Any) -> Any:
    """Converts a value to the setting's type; raises `TypeError` for another type, `ValueError` for invalid contents."""
    if kind == "str" and name in _PATHS and isinstance(value, (str, Path)):
        return os.path.expanduser(value)  # noqa: PTH111 - the result must be a text
    if kind == "Mapping[str, str]" and isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair):
        if name == "operations":
            return {endpoint: parse_operation(operation).value for endpoint, operation in value.items()}
        return dict(value)
    if kind == "tuple[str, ...]" and isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return tuple(value)
    if kind == "Fsync":
        try:
            return parse_fsync(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if type(value).__name__ == kind or (kind == "str" and isinstance(value, str)):
        return value
    shown = "" if name in _SECRETS else f"={value!r}"
    raise TypeError(f"{name}{shown}: {_KINDS[kind]}")


_WORDS: Final = {"metrics": (*METRIC_GENERATIONS, "none"), "delivery": DELIVERIES, "compression": ("gzip", "none")}
_KINDS: Final = {
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "tuple[str, ...]": "a list of texts",
    "Mapping[str, str]": "a mapping of texts",
}


def check(name: str, value: Any) -> None:
    """Raises `ValueError` with one sentence if the value is invalid for the setting."""
    if name == "provider_hosts":
        rules_of(value)
    if name == "baggage_hosts":
        own_hosts(value)
    if name in _WORDS and value not in _WORDS[name]:
        *first, last = _WORDS[name]
        raise ValueError(f"{name}={value!r}: use {', '.join(first)} or {last}")
    if name in ("journal_max_bytes", "journal_segment_bytes") and value < MIB // 4:
        raise ValueError(f"{name}={value!r}: at least {MIB // 4} bytes")
    if name in ("timeout", "ship_interval", "adopt_interval", "budget_interval", "budget_max_age") and not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name}={value!r}: seconds above 0")
    if name == "exit_timeout" and not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name}={value!r}: seconds, from 0")
    if name == "content_hash_secret" and len(value.encode("utf-8", "surrogateescape")) > 64:  # noqa: PLR2004 - BLAKE2b's longest key
        raise ValueError("content_hash_secret is longer than 64 bytes")
    if name == "journal_dir" and not value:
        raise ValueError("journal_dir is empty: give a folder")
    if name == "journal_dir" and not _can_be_a_path(value):
        raise ValueError(f"journal_dir={value[:80]!r}: no file system has such a name")


def _can_be_a_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def check_url(endpoint: str) -> None:
    """Raises `ValueError` with one sentence for an invalid address of OTLP/HTTP; an empty address is the default."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
        usable = not endpoint or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:
        usable = False
    if not usable:
        shown = bare(endpoint)
        meant = "" if "://" in shown else f"; is http://{shown.partition('/')[0]}/v1/logs meant?"
        raise ValueError(f"endpoint={shown!r}: an http(s) address with scheme, host and path is needed{meant}")


def from_environment(environ: Mapping[str, str], on_error: Callable[[str], object]) -> Settings:
    """Reads settings from variables; empty variables are ignored. Invalid values keep the default; `on_error` gets one sentence each."""
    settings = Settings()
    reported: set[str] = set()
    for f in fields(Settings):
        for variable in (f"TOKENTRAIL_{f.name.upper()}", *f.metadata["standard"]):
            text = environ.get(variable, "")
            if not text.strip():
                continue
            read = READERS.get((f.name, variable), PARSERS[str(f.type)])
            try:
                value = read(text)
                if value == "":
                    continue  # resource attributes without this attribute
                settings = settings.with_(**{f.name: value})
                break
            except (ValueError, TypeError) as error:
                if variable not in reported:
                    on_error(f"{variable} cannot be used: {error}")
                reported.add(variable)
    return settings
