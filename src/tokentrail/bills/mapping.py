"""Which column of a table is which field of a bill's line: by the column's name, by a mapping file, and by single words (`NAME=COLUMN`).

time_zone = "Europe/Berlin"              # of times without an offset; UTC if nothing is said
decimal = ","                            # before fractions; "." if nothing is said
thousands = "."                          # between thousands; none if nothing is said
interval = "1d"                          # of a row without an end: 1m, 1h, 1d, 1mo
[columns]
starts = "Datum"                         # field = column
input_tokens = ["Fresh", "From cache"]   # columns that are added up
[units]
input_tokens = 1000                      # what one unit of the column is; cost = "0.01" for cents
[constants]
provider = "openai"                      # a field's value where the table has no column
[values.model]
"GPT 4o" = "gpt-4o"                      # the table's word = the ledger's
[meters]
"Input"  = "input_tokens"                # a table with a row a meter: the columns `meter` and `quantity`
"Cached" = ["input_tokens", "cache_read_tokens"]
[skip]
"Modell" = ["Summe"]                     # rows that are no lines, by a column's value
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tokentrail.bills.errors import BillError
from tokentrail.compat.own_names import FIELDS as OWN_WORDS
from tokentrail.counts import COUNTS
from tokentrail.toml_files import FileError, document, known, read
from tokentrail.wording import did_you_mean

__all__ = ["COUNT_NAMES", "NUMBER_FIELDS", "BillMapping", "guessed", "listed", "mapping_with", "read_mapping"]

COUNT_NAMES: Final = tuple(each.name for each in COUNTS)
NUMBER_FIELDS: Final = (*COUNT_NAMES, "requests", "cost", "quantity")
TEXT_FIELDS: Final = ("provider", "model", "project", "api_key", "batch", "service_tier", "currency", "item", "unit", "meter")
NAMES: Final = ("starts", "ends", *TEXT_FIELDS, *NUMBER_FIELDS)
INTERVALS: Final = ("1m", "1h", "1d", "1mo")
MOST_LISTED: Final = 40
_SETTINGS: Final = ("time_zone", "time_format", "decimal", "thousands", "interval", "delimiter", "encoding")
_TABLES: Final = ("columns", "units", "constants", "values", "meters", "skip")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "starts": ("starts", "start", "start_time", "starting_at", "period_start", "date", "day", "usage_date", *OWN_WORDS["timestamp"]),
    "ends": ("ends", "end", "end_time", "ending_at", "period_end"),
    "provider": OWN_WORDS["provider"],
    "model": OWN_WORDS["model"],
    "project": ("project", "project_id", "project_name", "workspace", "workspace_id"),
    "api_key": ("api_key_id", "api_key", "api_key_name", "key_id", "key_name"),
    "batch": ("batch", "is_batch"),
    "service_tier": ("service_tier", "tier"),
    "requests": ("requests", "num_requests", "request_count", "calls", "num_model_requests"),
    "cost": ("cost", "total_cost", "amount", "costs", "spend", "charge"),
    "currency": ("currency", "currency_code", "billing_currency"),
    "item": ("item", "line_item", "description"),
    **{name: OWN_WORDS.get(name, (name,)) for name in COUNT_NAMES},
}
"""A field's words, as tables write them; the first one that is there counts."""


@dataclass(frozen=True, slots=True)
class BillMapping:
    """What is said of a table's columns."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, Decimal] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    meters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: Mapping[str, frozenset[str]] = field(default_factory=dict)
    time_zone: str = "UTC"
    time_format: str = ""
    decimal: str = "."
    thousands: str = ""
    interval: str = ""
    delimiter: str = ""
    encoding: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether nothing was said."""
        return self == BillMapping()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone. Raises `BillError` for a name that is none."""
        try:
            return ZoneInfo(self.time_zone)
        except (ValueError, OSError, LookupError):  # a name like a path, a folder, a name that is not known
            raise BillError(f"{self.time_zone!r} is no time zone: write one as Europe/Berlin") from None


def read_mapping(path: Path) -> BillMapping:
    """Reads a mapping file. Raises `BillError`, one sentence, for what does not fit."""
    try:
        return read(path, _parsed)
    except FileError as error:
        raise BillError(str(error)) from None


def mapping_with(pairs: Iterable[str], base: BillMapping | None = None) -> BillMapping:
    """Adds words of a command line: `model=Modell` a column, `provider==openai` a constant, `decimal=,` a setting. Raises `BillError`."""
    found = base or BillMapping()
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip()
        if not sign or not value:
            raise BillError(f"{pair!r}: write NAME=COLUMN, or NAME==VALUE for a value that is the same in all rows")
        if name in _SETTINGS:
            found = replace(found, **_setting(name, value))
        elif name not in NAMES:
            raise BillError(f"{name!r} is no field.{did_you_mean(name, NAMES)} Fields are {', '.join(NAMES)}; settings {', '.join(_SETTINGS)}")
        elif value.startswith("=") and value != "=":
            found = replace(found, constants={**found.constants, name: value[1:]})
        else:
            found = replace(found, columns={**found.columns, name: (value,)})
    return _checked(found)


def guessed(header: Sequence[str], given: BillMapping) -> Mapping[str, tuple[int, ...]]:
    """Returns the places of each field's columns: those that were given, and of other columns those whose names say so.

    Raises `BillError` for a column that is not there, or is there twice.
    """
    names = [each.strip() for each in header]
    found = {name: tuple(_place(each, names) for each in columns) for name, columns in given.columns.items()}
    taken = {place for places in found.values() for place in places}
    lower = ["" if place in taken else each.lower().replace(" ", "_") for place, each in enumerate(names)]
    for name in NAMES:
        if name in found or name in given.constants:
            continue
        if word := next((word for word in _WORDS.get(name, (name,)) if word in lower), ""):
            found[name] = (lower.index(word),)
    return found


def _place(column: str, names: Sequence[str]) -> int:
    places = [place for place, name in enumerate(names) if name == column]
    if not places:
        raise BillError(f"it has no column {column!r}.{did_you_mean(column, map(_printable, names))} It has {listed(names)}")
    if len(places) > 1:
        raise BillError(f"it has the column {column!r} twice")
    return places[0]


def listed(names: Sequence[str]) -> str:
    """Returns the names of columns for a sentence: a file's names may hold anything, also what a terminal would obey."""
    return ", ".join(map(_printable, names[:MOST_LISTED])) + (" …" if len(names) > MOST_LISTED else "")


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:80])


def _parsed(written: str) -> BillMapping:
    found = document(written)
    known("the file", found, (*_SETTINGS, *_TABLES))
    columns, units, constants, values, meters, skip = (_table(found, name) for name in _TABLES)
    known("[columns]", columns, NAMES)
    known("[constants]", constants, NAMES)
    known("[units]", units, NUMBER_FIELDS)
    known("[values]", values, TEXT_FIELDS)
    for name, words in values.items():
        if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
            raise FileError(f"[values.{name}]: write the table's word = the ledger's, both as texts")
    for name, several in (("[meters]", meters), ("[skip]", skip), ("[columns]", columns)):
        for key, value in several.items():
            if not _texts(value):
                raise FileError(f"{name}: {key} is {value!r}: write a text, or a list of texts")
    try:
        return _checked(
            BillMapping(
                columns={name: _texts(value) for name, value in columns.items()},
                units={name: _unit(name, value) for name, value in units.items()},
                constants={name: _one_text(name, value) for name, value in constants.items()},
                values=values,
                meters={name: _texts(value) for name, value in meters.items()},
                skip={name: frozenset(_texts(value)) for name, value in skip.items()},
                **{name: _one_text(name, found[name]) for name in _SETTINGS if name in found},
            )
        )
    except BillError as error:
        raise FileError(str(error)) from None


def _setting(name: str, value: str) -> dict[str, Any]:
    return {name: value}


def _checked(found: BillMapping) -> BillMapping:
    _ = found.zone
    if found.interval and found.interval not in INTERVALS:
        raise BillError(f"interval is {found.interval!r}: write {', '.join(INTERVALS)}")
    for name in ("decimal", "thousands", "delimiter"):
        sign = getattr(found, name)
        if len(sign) > 1 or sign.isdigit():
            raise BillError(f"{name} is {sign!r}: write one sign")
    if found.decimal == found.thousands or not found.decimal:
        raise BillError("decimal and thousands are two different signs")
    for name, counts in found.meters.items():
        if unknown := [each for each in counts if each not in NUMBER_FIELDS]:
            raise BillError(f"[meters]: {name} is {unknown[0]!r}, which is no count.{did_you_mean(unknown[0], NUMBER_FIELDS)}")
    return found


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise FileError(f"{name} is a table: write [{name}]")
    return dict(table)


def _texts(value: Any) -> tuple[str, ...]:
    several = [value] if isinstance(value, str) else value
    return tuple(several) if isinstance(several, list) and all(isinstance(each, str) and each for each in several) else ()


def _one_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FileError(f"{name} is {value!r}: write a text")
    return value


def _unit(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, (int, str, Decimal)) and not isinstance(value, bool) else Decimal(0)
    except ArithmeticError:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise FileError(f'[units]: {name} is {value!r}: write a number above 0, such as 1000, or "0.01" for cents')
    return number
