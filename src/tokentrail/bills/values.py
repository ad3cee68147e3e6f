"""Counts, amounts and times as reports write them. A number is exact or refused: nothing goes through a floating-point number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from tokentrail.bills.errors import BillError, EndsEarlyError
from tokentrail.idempotency import EPOCH
from tokentrail.importing.record import NotTaken
from tokentrail.importing.values import time_ns

__all__ = ["Numbers", "amount", "count", "currency", "decoded", "mapping_of", "moment", "of_unix", "text", "whole"]

MOST_TOKENS: Final = 10**15
"""A count beyond a quadrillion is malformed: no account spends so many tokens in an interval."""
MOST_MONEY: Final = Decimal(10) ** 15
MOST_DIGITS: Final = 60
"""Digits after the point; a number of more is no amount, and summing such numbers would cost time and memory."""
_CODE: Final = re.compile(r"[A-Za-z]{3}")
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SIGNS: Final = "$€£¥₹"
_BESIDE: Final = re.compile(r"(?!NAN|INF)[A-Z]{3}")
"""A currency's code before or after an amount."""


def decoded(written: str | bytes) -> Any:
    """Parses JSON, fractions as decimals. Raises `BillError` for what is none, in words that hold nothing of it."""
    try:
        return json.loads(written, parse_float=Decimal, parse_constant=_no_number)
    except BillError:
        raise
    except UnicodeDecodeError:
        raise BillError("it is not in UTF-8") from None
    except json.JSONDecodeError as error:
        if error.doc.strip() and (error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")):
            raise EndsEarlyError("its JSON ends in the middle") from None
        raise BillError(f"its JSON is broken at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError, InvalidOperation):  # a number of too many digits, lists in lists in lists
        raise BillError("its JSON holds a number or a nesting that is beyond all reports") from None


def _no_number(word: str) -> Any:
    raise BillError(f"its JSON holds {word}, which is no number")


def mapping_of(value: Any, name: str) -> Mapping[str, Any]:
    """Returns an object; an empty one for null. Raises `BillError` for anything else."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BillError(f"{name} is no object")
    return value


def text(value: Any) -> str:
    """Returns a text without blanks around it; "" for null, and for what is no text or number."""
    return "" if value is None or isinstance(value, (Mapping, list, bool)) else str(value).strip()


def count(value: Any, name: str) -> int | None:
    """Returns a count of an API's answer; None for null. Raises `BillError` for what is no count, or is negative."""
    if value is None:
        return None
    number = whole(amount(value, name), name)
    if number < 0:
        raise BillError(f"{name} is negative")
    return number


def whole(number: Decimal, name: str) -> int:
    """Returns a whole number of tokens, requests or the like. Raises `BillError` for a fraction and for a number beyond all reports."""
    if number.copy_abs() > MOST_TOKENS:
        raise BillError(f"{name} is beyond a quadrillion")
    if number != number.to_integral_value():
        raise BillError(f"{name} is no whole number")
    return int(number)


def amount(value: Any, name: str) -> Decimal:
    """Returns a decimal, of JSON's number or of a text. Raises `BillError` for what is none."""
    if isinstance(value, str) and _PLAIN.fullmatch(value.strip()):
        value = Decimal(value.strip())
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise BillError(f"{name} is no number")
    exponent = value.as_tuple().exponent
    if value.adjusted() > MOST_MONEY.adjusted() or not isinstance(exponent, int) or exponent < -MOST_DIGITS:
        raise BillError(f"{name} is a number beyond all reports")
    return value


def currency(value: Any) -> str:
    """Returns the three letters of ISO 4217, in capitals; "" for null. Raises `BillError` for anything else."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _CODE.fullmatch(value.strip()):
        raise BillError("its currency is no code of three letters")
    return value.strip().upper()


def of_unix(value: Any, name: str) -> datetime:
    """Returns the time of a number of seconds since 1970. Raises `BillError` for what is none, and for a time that is no time of a report."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise BillError(f"{name} is no number of seconds")
    return moment(str(value), name)


@lru_cache(maxsize=4096)
def moment(value: str, name: str, zone: tzinfo = timezone.utc) -> datetime:
    """Returns a time in UTC, of ISO 8601 or of a number since 1970; without an offset it is in `zone`. Raises `BillError` for what is none."""
    try:
        since = time_ns(value, zone, name)
        return EPOCH + timedelta(microseconds=since // 1000)
    except NotTaken as error:
        raise BillError(f"{name} is older than 2020" if error.reason == "older than 2020" else error.reason) from None


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a table writes numbers: the sign before fractions, and the one between thousands ("" for none)."""

    decimal: str = "."
    thousands: str = ""

    def read(self, written: str, name: str) -> Decimal | None:
        """Returns a number; None for an empty cell. Raises `BillError` for what is none, and for what could be two numbers.

        Around the number may stand a sign or code of a currency; a negative number may stand in brackets.
        """
        short = written.strip().removeprefix("'").replace("\u2212", "-")
        if not short or short.lower() in ("null", "none", "nan", "n/a", "-"):
            return None
        negative = short.startswith("(") and short.endswith(")")
        short = _without_currency(short[1:-1] if negative else short)
        if self.thousands:
            short = self._without_thousands(short, name)
        if self.decimal != ".":
            if "." in short:
                raise BillError(f"{name} has a point where fractions begin with {self.decimal!r}")
            short = short.replace(self.decimal, ".")
        if not _PLAIN.fullmatch(short):
            hint = ": say how with `decimal` and `thousands`" if "," in short and self.decimal == "." and not self.thousands else ""
            raise BillError(f"{name} is no number{hint}")
        number = amount(short, name)
        return number.copy_negate() if negative else number

    def _without_thousands(self, short: str, name: str) -> str:
        whole_part, sign, rest = short.partition(self.decimal)
        first, *groups = whole_part.split(self.thousands)
        if self.thousands in rest or (groups and (not 1 <= len(first.lstrip("+-")) <= 3 or any(len(each) != 3 for each in groups))):  # noqa: PLR2004
            raise BillError(f"{name} has {self.thousands!r} where no thousands end")
        return "".join((first, *groups)) + sign + rest


def _without_currency(short: str) -> str:
    short = short.strip()
    sign = short[:1] if short[:1] in ("-", "+") and len(short) > 1 else ""
    rest = short[len(sign) :].strip()
    for code in (rest[:3], rest[-3:]):
        if _BESIDE.fullmatch(code):
            rest = rest.removeprefix(code).removesuffix(code).strip()
            break
    rest = rest.strip(_SIGNS).strip()
    return rest if sign and rest.startswith(("-", "+")) else sign + rest
