"""Parses the text of an environment variable as a setting's value. Raises `ValueError` for an invalid text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from tokentrail.semconv import ENVIRONMENT, FORMER_ENVIRONMENT, SERVICE_NAME

__all__ = ["NAMED", "PARSERS", "READERS", "Fsync", "parse_fsync"]

NAMED: Final = (SERVICE_NAME, ENVIRONMENT, FORMER_ENVIRONMENT)
"""Resource attributes that have a setting of their own."""

Fsync: TypeAlias = Literal["never", "always"] | int
"""When the journal is synced to disk: `never`, after each append, or so many milliseconds after the first unsynced append."""
MAX_FSYNC_MS: Final = 60_000
"""The kernel writes unsynced data back after half a minute anyway."""

_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("0", "false", "no", "off")


def parse_pairs(text: str) -> dict[str, str]:
    """Parses `a=1,b=2` as in W3C baggage and OTEL_EXPORTER_OTLP_HEADERS: values may be percent-encoded."""
    pairs = {}
    for number, item in enumerate(text.split(","), 1):
        name, separator, value = item.partition("=")
        if item.strip() and not separator:
            raise ValueError(f"item {number} of its list is not name=value")  # the item is not shown, because it may be a secret
        if name.strip():
            pairs[name.strip()] = unquote(value.strip())
    return pairs


def parse_list(text: str) -> tuple[str, ...]:
    """Parses `a,b`; empty items are left out."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def parse_bool(text: str) -> bool:
    """Parses `1 true yes on` and `0 false no off`, in any case; raises `ValueError` for any other text."""
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in ("", *_NO):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_fsync(value: object) -> Fsync:
    """Parses `never`, `always` or milliseconds. Yes and no mean always and never, `1` and `0` too: the setting had no milliseconds once.

    Raises `ValueError` for any other value.
    """
    word = str(value).strip().lower()
    if word in ("never", *_NO):
        return "never"
    if word in ("always", *_YES):
        return "always"
    if word.isascii() and word.isdigit() and len(word) <= len(str(MAX_FSYNC_MS)) and 1 < int(word) <= MAX_FSYNC_MS:
        return int(word)
    raise ValueError(f"{str(value)[:80]!r} is neither never nor always nor whole milliseconds from 2 to {MAX_FSYNC_MS}")


PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "bool": parse_bool,
    "int": int,
    "float": float,
    "str": str,
    "Fsync": parse_fsync,
    "tuple[str, ...]": parse_list,
    "Mapping[str, str]": parse_pairs,
}


READERS: Final[Mapping[tuple[str, str], Callable[[str], Any]]] = {
    ("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"): lambda text: text.rstrip("/") + "/v1/logs",
    ("service_name", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: parse_pairs(text).get(SERVICE_NAME, ""),
    ("environment", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: next(filter(None, map(parse_pairs(text).get, NAMED[1:])), ""),
    ("resource", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: {name: value for name, value in parse_pairs(text).items() if name not in NAMED},
    ("otel_sdk_disabled", "OTEL_SDK_DISABLED"): lambda text: text.strip().lower() == "true",
}
"""Parsers of standard variables whose text is not the setting's value alone."""
