"""A table of anyone's: a CSV file, of which a mapping says which column is which field where the columns' names do not.

A row states counts, requests or a cost in columns of their own, or one number for one meter (columns `meter` and `quantity`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import COUNT_NAMES, BillMapping, guessed, listed
from tokentrail.bills.reader import Reader
from tokentrail.bills.report import Notes
from tokentrail.bills.tables import csv_rows, different_files
from tokentrail.bills.values import Numbers, currency, moment, whole
from tokentrail.compat.own_names import provider_name
from tokentrail.money import EXACT

__all__ = ["READERS"]

_TRUE: Final = ("true", "t", "yes", "y", "1", "batch")
_FALSE: Final = ("false", "f", "no", "n", "0", "")
_PLAIN_TEXTS: Final = ("model", "project", "api_key", "service_tier", "item", "unit")
_MOST_SPANS: Final = 10_000


def _lines_of(path: Path, notes: Notes, mapping: BillMapping) -> Iterator[BillLine]:
    """Yields the lines of a table. Raises `BillError`, with file and line, for what is none."""
    rows = csv_rows(path, mapping.delimiter, mapping.encoding)
    _, header = next(rows)
    try:
        plan = _Plan(header, mapping)
    except BillError as error:
        raise BillError(f"{path}: {error}") from None
    for number, cells in rows:
        try:
            line = plan.line(cells, notes)
        except BillError as error:
            raise BillError(f"{path}, line {number}: {error}") from None
        if line is not None:
            yield line


class _Plan:
    """What is done with each row of one table."""

    def __init__(self, header: Sequence[str], mapping: BillMapping) -> None:
        self._mapping = mapping
        self._places = guessed(header, mapping)
        self._numbers = Numbers(mapping.decimal, mapping.thousands)
        self._spans = _Spans(mapping)
        self._skip = [(header.index(column), words) for column, words in mapping.skip.items() if column in header]
        if missing := [column for column in mapping.skip if column not in header]:
            raise BillError(f"it has no column {missing[0]!r}")
        if "starts" not in self._places:
            raise BillError(f"no column is known as a time: say which with starts=COLUMN; it has {listed(header)}")
        if "provider" not in self._places and "provider" not in mapping.constants:
            raise BillError("no column is known as the provider: say which with provider=COLUMN, or provider==NAME for all rows")
        if "cost" in self._places and not mapping.constants.get("currency") and "currency" not in self._places:
            raise BillError("no column is known as the currency of its cost: say which with currency=COLUMN, or currency==USD for all rows")
        self._counts = [name for name in COUNT_NAMES if name in self._places]
        self._by_meter = "meter" in self._places
        if self._by_meter and not mapping.meters:
            raise BillError("a column `meter` needs a mapping file whose [meters] say which count is which")
        if not self._by_meter and not self._counts and not {"requests", "cost", "quantity"} & self._places.keys():
            raise BillError(f"no column is known as a count or a cost: say which with input_tokens=COLUMN; it has {listed(header)}")

    def line(self, cells: Sequence[str], notes: Notes) -> BillLine | None:
        """Returns the line of a row; None for a row that is passed over."""
        for place, words in self._skip:
            if cells[place].strip() in words:
                notes.say("a row that the mapping's [skip] names was left out")
                return None
        starts, ends = self._spans.of(self._text("starts", cells), self._text("ends", cells))
        counts = {name: whole(number, name) for name in self._counts if (number := self._number(name, cells)) is not None}
        requests = self._number("requests", cells)
        quantity = self._number("quantity", cells)
        cost = self._number("cost", cells)
        if self._by_meter and quantity is not None:
            meter = self._text("meter", cells)
            meant = self._mapping.meters.get(meter)
            if meant is None:
                notes.say(f"the meter {meter[:80]!r}, which the mapping's [meters] do not name, was not read as a count")
            else:
                counts |= {name: whole(quantity, name) for name in meant if name in COUNT_NAMES}
                requests = quantity if "requests" in meant else requests
                cost = quantity if "cost" in meant else cost
        texts: dict[str, Any] = {name: self._text(name, cells) for name in _PLAIN_TEXTS}
        if self._by_meter:
            texts["item"] = texts["item"] or self._text("meter", cells)
        return BillLine(
            source="csv",
            starts=starts,
            ends=ends,
            provider=provider_name(self._text("provider", cells)),
            counts=counts,
            requests=None if requests is None else whole(requests, "requests"),
            cost=cost,
            currency=currency(self._text("currency", cells)) if cost is not None else "",
            quantity=quantity,
            batch=self._batch(cells),
            **texts,
        )

    def _text(self, name: str, cells: Sequence[str]) -> str:
        places = self._places.get(name)
        if places is None:
            return self._mapping.constants.get(name, "")
        found = cells[places[0]].strip() if len(places) == 1 else " ".join(cells[place].strip() for place in places)
        words = self._mapping.values.get(name)
        return words.get(found, found) if words else found

    def _number(self, name: str, cells: Sequence[str]) -> Decimal | None:
        total: Decimal | None = None
        for place in self._places.get(name, ()):
            number = self._numbers.read(cells[place], name)
            if number is not None:
                total = number if total is None else EXACT.add(total, number)
        unit = self._mapping.units.get(name)
        return total if total is None or unit is None else EXACT.multiply(total, unit)

    def _batch(self, cells: Sequence[str]) -> bool | None:
        if "batch" not in self._places and "batch" not in self._mapping.constants:
            return None
        word = self._text("batch", cells).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False if word else None
        raise BillError("batch is neither true nor false")


class _Spans:
    """The intervals of rows, by the texts of their beginning and end; most rows of a table have those of the row before."""

    def __init__(self, mapping: BillMapping) -> None:
        self._zone: tzinfo = mapping.zone
        self._format = mapping.time_format
        self._interval = mapping.interval
        self._known: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    def of(self, starts: str, ends: str) -> tuple[datetime, datetime]:
        """Returns the interval in UTC. Raises `BillError` for what is none."""
        known = self._known.get((starts, ends))
        if known is None:
            if len(self._known) > _MOST_SPANS:
                self._known.clear()
            known = self._known[starts, ends] = self._read(starts, ends)
        return known

    def _read(self, starts: str, ends: str) -> tuple[datetime, datetime]:
        begun = self._moment(starts, "starts")
        ended = self._moment(ends, "ends") if ends else self._end_of(begun, self._interval or self._usual(starts))
        if ended <= begun:
            raise BillError("it ends before it starts")
        return begun, ended

    def _usual(self, starts: str) -> str:
        is_date = "%H" not in self._format and "%I" not in self._format and "%c" not in self._format if self._format else ":" not in starts
        return "1d" if is_date else ""

    def _moment(self, written: str, name: str) -> datetime:
        if not self._format:
            return moment(written, name, self._zone)
        try:
            found = datetime.strptime(written, self._format)  # noqa: DTZ007 - the zone is the mapping's where the format has none
        except ValueError:
            raise BillError(f"{name} does not have the form {self._format}") from None
        return moment((found if found.tzinfo else found.replace(tzinfo=self._zone)).isoformat(), name)

    def _end_of(self, begun: datetime, interval: str) -> datetime:
        """Returns the end of an interval: a day or a month ends when the clocks of the time zone say so."""
        if not interval:
            return begun + timedelta(microseconds=1)  # a single call
        if interval in _LENGTHS:
            return begun + _LENGTHS[interval]
        local = begun.astimezone(self._zone).replace(tzinfo=None)
        following = local + timedelta(days=1) if interval == "1d" else (local.replace(day=1) + timedelta(days=32)).replace(day=min(local.day, 28))
        return following.replace(tzinfo=self._zone).astimezone(timezone.utc)


_LENGTHS: Final[Mapping[str, timedelta]] = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1)}


def _from_files(paths: Sequence[Path], notes: Notes, mapping: BillMapping) -> Iterator[BillLine]:
    for path in different_files(paths, notes):
        yield from _lines_of(path, notes, mapping)


READERS: Final = (
    Reader(
        name="csv",
        title="A table with columns of one's own",
        states=("tokens", "requests", "cost", "items"),
        by=("provider", "model", "project", "api_key", "batch", "service_tier", "item"),
        files=("csv",),
        where="any export; a mapping says which column is which field",
        from_files=_from_files,
        mapped=True,
    ),
)
