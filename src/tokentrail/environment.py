"""Parses the text of an environment variable as a setting's value. Raises `ValueError` for an invalid text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

__all__ = ["NAMED", "PARSERS", "READERS"]

NAMED: Final = ("service.name", "deployment.environment.name", "deployment.environment")
"""Resource attributes that have a setting of their own."""


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


def parse_bool(text: str) -> bool:
    """Parses `1 true yes on` and `0 false no off`, in any case; raises `ValueError` for any other text."""
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "bool": parse_bool,
    "int": int,
    "float": float,
    "str": str,
    "Mapping[str, str]": parse_pairs,
}


READERS: Final[Mapping[tuple[str, str], Callable[[str], Any]]] = {
    ("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"): lambda text: text.rstrip("/") + "/v1/logs",
    ("service_name", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: parse_pairs(text).get("service.name", ""),
    ("environment", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: next(filter(None, map(parse_pairs(text).get, NAMED[1:])), ""),
    ("resource", "OTEL_RESOURCE_ATTRIBUTES"): lambda text: {name: value for name, value in parse_pairs(text).items() if name not in NAMED},
    ("otel_sdk_disabled", "OTEL_SDK_DISABLED"): lambda text: text.strip().lower() == "true",
}
"""Parsers of standard variables whose text is not the setting's value alone."""
