"""Converts OTLP's values to the texts that the Collector's ClickHouse exporter stores: every attribute is a string.

Source: `AsString` in the Collector's pdata (go.opentelemetry.io/collector/pdata/pcommon/value.go, v1.67.0), which the exporter (v0.161.0) calls for
attributes and bodies. Rows must not depend on the receiver, Collector or embedded server.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from tokentrail.semconv import SERVICE_NAME

__all__ = ["attributes", "service_name", "text", "timestamp"]

NANOSECONDS: Final = 1_000_000_000
LAST_TIME: Final = (1 << 63) - 1  # DateTime64(9) ends in the year 2262; later times become its last instant, so that one wrong clock fails no batch
PLAIN_BELOW: Final = 1e21
PLAIN_ABOVE: Final = 1e-6


def text(value: Any) -> str:
    """Returns an `AnyValue` as text: integers decimal, `true`/`false`, doubles as in JSON, bytes in base64, lists and maps as JSON, unset empty."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "int_value":
        return str(value.int_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "double_value":
        return _double(value.double_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind in {"array_value", "kvlist_value"}:
        try:
            return _json(value)
        except ValueError:  # a NaN in a list: Go's encoder returns an empty text
            return ""
    return ""


def attributes(pairs: Iterable[Any]) -> dict[str, str]:
    """Returns a list of `KeyValue` as a map of texts, in the same order."""
    return {pair.key: text(pair.value) for pair in pairs}


def service_name(resource: dict[str, str]) -> str:
    """Returns the ServiceName of a row; empty if the resource has none."""
    return resource.get(SERVICE_NAME, "")


def timestamp(nanoseconds: int) -> msgspec.Raw:
    """Returns a time as seconds with nine decimals: DateTime64(9) and DateTime read this form in JSONEachRow without loss."""
    seconds, fraction = divmod(min(nanoseconds, LAST_TIME), NANOSECONDS)
    return msgspec.Raw(b"%d.%09d" % (seconds, fraction))


def _double(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return _number(number)


def _number(number: float) -> str:
    """Returns a finite double in JavaScript's form: shortest digits, plain between 1e-6 and 1e21, else an exponent without padding."""
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    if PLAIN_ABOVE <= abs(number) < PLAIN_BELOW:
        plain = format(Decimal(repr(number)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    digits, _, exponent = repr(number).partition("e")
    if not exponent:
        digits, _, exponent = format(Decimal(repr(number)).normalize(), "e").partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"


def _json(value: Any) -> str:
    """Encodes a value as Go's encoding/json does, without HTML escapes: no spaces, keys sorted, bytes in base64.

    Raises ValueError for NaN and infinities.
    """
    kind = value.WhichOneof("value")
    if kind is None:
        return "null"
    if kind == "array_value":
        return "[" + ",".join(map(_json, value.array_value.values)) + "]"
    if kind == "kvlist_value":
        pairs = {pair.key: pair.value for pair in value.kvlist_value.values}
        return "{" + ",".join(f"{_quoted(key)}:{_json(pairs[key])}" for key in sorted(pairs)) + "}"
    if kind == "double_value":
        if not math.isfinite(value.double_value):
            raise ValueError("not a number in JSON")
        return _number(value.double_value)
    plain = text(value)
    return plain if kind in {"int_value", "bool_value"} else _quoted(plain)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
