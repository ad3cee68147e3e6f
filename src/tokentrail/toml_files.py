"""TOML files that people write: price files, budgets. What does not fit is one sentence that says where it stands."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar

from tokentrail.wording import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["FileError", "amount", "currency", "document", "known", "read", "tables", "text"]

_DIGITS: Final = 18
"""Digits after the point in ClickHouse's Decimal(38, 18)."""

_Read = TypeVar("_Read")


class FileError(ValueError):
    """A file that cannot be used. One sentence."""


def read(path: Path, parse: Callable[[str], _Read]) -> _Read:
    """Reads and parses a file. Raises the error of `parse` with the file's name, and `FileError` for a file that cannot be read."""
    try:
        found = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark of its encoding
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise FileError(f"{path} cannot be read: it is not in UTF-8") from None
    try:
        return parse(found)
    except FileError as error:
        raise type(error)(f"{path}: {error}") from None


def document(written: str) -> dict[str, Any]:
    """Parses TOML, with decimals."""
    try:
        found: dict[str, Any] = tomllib.loads(written, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise FileError(f"this is no TOML: {error}") from None
    return found


def tables(found: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Returns the tables of a name; none if there are none."""
    several = found.get(name, [])
    if not isinstance(several, list) or not all(isinstance(each, dict) for each in several):
        raise FileError(f"{name} is a table: write [[{name}]]")
    return several


def known(where: str, given: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuses a key that is not among `names`."""
    for name in given:
        if name not in names:
            raise FileError(f"{where} has {name!r}, which is not known.{did_you_mean(name, names)} It may have {', '.join(names)}")


def amount(where: str, name: str, value: Any, most: Decimal) -> Decimal:
    """Returns a decimal from 0 to `most` (excluded) that fits ClickHouse's Decimal(38, 18)."""
    try:
        found = Decimal(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise FileError(f"{where}: {name} is {value!r}: write an amount, such as 2.50")
    if not 0 <= found < most:
        raise FileError(f"{where}: {name} is {value}: an amount from 0 to {most:,}")
    exponent = found.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _DIGITS:
        raise FileError(f"{where}: {name} is {value}: at most {_DIGITS} digits after the point")
    return found


def text(where: str, name: str, value: Any) -> str:
    """Returns a text that is not empty, without space around it."""
    if not isinstance(value, str) or not value.strip():
        raise FileError(f"{where}: {name} is {value!r}: write a text" if value is not None else f"{where} has no {name}")
    return value.strip()


def currency(where: str, value: Any) -> str:
    """Returns the three letters of ISO 4217."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise FileError(f"{where}: currency is {value!r}: write three letters, such as USD")
    return value
