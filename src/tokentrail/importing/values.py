"""Numbers, times and texts as exports write them: JSON's own, or texts of CSV and of a database."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tokentrail.compat.own_values import MOST_TOKENS, since_epoch
from tokentrail.idempotency import EARLIEST_NS, EPOCH, LATEST_NS
from tokentrail.importing.record import NotTaken

__all__ = ["nested", "nested_list", "seconds", "text", "time_ns", "whole"]

LARGEST_EXPONENT: Final = 30
"""Ten characters may state a number of a billion digits, with which nobody can calculate."""
LONGEST_S: Final = 10**9
"""A duration of thirty years is none."""
_EMPTY: Final = (None, "", "null", "None", "\\N")
_FRACTION: Final = re.compile(r"(.*\d:\d\d:\d\d)[.,](\d{1,9})\d*(.*)", re.DOTALL)
_SHORT_OFFSET: Final = re.compile(r"(.*[+-]\d\d)(\d\d)?$", re.DOTALL)


def text(value: Any) -> str:
    """Returns a text without the blanks around it; "" for what is stated as nothing."""
    if value in _EMPTY or isinstance(value, (Mapping, list)):
        return ""
    return str(value).strip()


def whole(value: Any, name: str) -> int | None:
    """Returns a count; None for what is not stated. Raises `NotTaken` for what is no count."""
    if value in _EMPTY:
        return None
    number = _decimal(value)
    if number is None or number != number.to_integral_value() or abs(number) > MOST_TOKENS:
        raise NotTaken(f"{name} is no whole number within a trillion", fault=True)
    if number < 0:
        raise NotTaken(f"{name} is negative", fault=True)
    return int(number)


def seconds(value: Any, unit: float = 1.0) -> int | None:
    """Returns a duration in nanoseconds, of a number of units of so many seconds; None for what is none."""
    number = None if value in _EMPTY else _decimal(value)
    found = None if number is None else number * Decimal(str(unit))
    return None if found is None or not 0 <= found < LONGEST_S else int(found * 10**9)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and (not number or number.adjusted() <= LARGEST_EXPONENT) else None


def time_ns(value: Any, zone: tzinfo = timezone.utc, name: str = "the time") -> int:
    """Returns a time in UTC nanoseconds, of ISO 8601 with up to nine digits of a second, or of a number since 1970.

    Without an offset the time is in `zone`.
    Raises `NotTaken` for what is none, and for a time before 2020, of which the ledger holds nothing.
    """
    number = _decimal(value)
    found = _written(text(value), zone, name) if number is None else _counted(number)
    if not EARLIEST_NS <= found <= LATEST_NS:
        raise NotTaken("older than 2020" if found < EARLIEST_NS else f"{name} is beyond the year 2262", fault=found >= EARLIEST_NS)
    return found


def _counted(number: Decimal) -> int:
    try:
        return since_epoch(number)
    except ValueError:
        return 0 if number < 0 else LATEST_NS + 1


def _written(written: str, zone: tzinfo, name: str) -> int:
    rest = 0
    if fraction := _FRACTION.fullmatch(written):
        written, rest = fraction[1] + fraction[3], int(fraction[2].ljust(9, "0"))
    written = written.strip().removesuffix("UTC").strip()
    if written[-1:] in ("Z", "z"):
        written = f"{written[:-1]}+00:00"
    elif ":" in written and (offset := _SHORT_OFFSET.fullmatch(written)):
        written = f"{offset[1]}:{offset[2] or '00'}"
    try:
        moment = datetime.fromisoformat(written)
        since = (moment if moment.tzinfo else moment.replace(tzinfo=zone)) - EPOCH
    except (ValueError, OverflowError):
        raise NotTaken(f"{name} is no time" if written else f"{name} is not stated", fault=True) from None
    return (since.days * 86_400 + since.seconds) * 10**9 + rest


def nested(value: Any) -> Mapping[str, Any]:
    """Returns an object: JSON's own, or one written as JSON in a text; empty for what is none."""
    found = _parsed(value, "{")
    return found if isinstance(found, Mapping) else {}


def nested_list(value: Any) -> list[Any]:
    """Returns a list: JSON's own, or one written as JSON in a text; empty for what is none."""
    found = _parsed(value, "[")
    return found if isinstance(found, list) else []


def _parsed(value: Any, begins: str) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith(begins):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
