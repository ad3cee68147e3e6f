"""Decodes rows from ClickHouse's JSON: a whole answer at once, or batch by batch while the answer arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from tokentrail.clickhouse.errors import broke_off
from tokentrail.clickhouse.streams import Stream
from tokentrail.clickhouse.values import Reading, reading

__all__ = ["Batch", "Batches", "Result", "Whole", "decode", "whole"]

MOST_ROW: Final = 64 << 20
"""Bytes of one row: a server could send one without an end."""
_LINE: Final = msgspec.json.Decoder(list[Any], float_hook=Decimal)  # exact, as ClickHouse writes numbers
_TAIL: Final = 1 << 12
_DECIMAL_OR_FLOAT: Final = re.compile(r"(?:LowCardinality\(|Nullable\()*(?:Decimal|B?Float)").match
"""Types whose values alone, not in a list, are made decimals and floats."""
_DOCUMENT: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer: column names, rows as tuples in the columns' order, and the columns' types."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    types: tuple[str, ...] = ()

    def dicts(self) -> list[dict[str, Any]]:
        """Returns each row as a dictionary."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def decode(answer: bytes) -> Result:
    """Decodes the rows of an answer in JSONCompact; no rows for a statement without an answer."""
    if not answer.strip():
        return Result((), [])
    decoded = json.loads(answer)
    columns = tuple(column["name"] for column in decoded["meta"])
    kinds = [column["type"] for column in decoded["meta"]]
    if any("Decimal" in kind for kind in kinds):
        decoded = json.loads(answer, parse_float=Decimal)
    readings = [*_readings(kinds), *((at, Decimal if "Decimal" in kind else _as_float) for at, kind in enumerate(kinds) if _DECIMAL_OR_FLOAT(kind))]
    return Result(columns, [tuple(_read(row, readings)) for row in decoded["data"]], tuple(kinds))


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _readings(types: Iterable[str]) -> list[tuple[int, Reading]]:
    """Returns the readings of columns whose values may be quoted, with the columns' positions."""
    found = ((position, reading(kind)) for position, kind in enumerate(types))
    return [(position, read) for position, read in found if read is not None]


def _read(row: list[Any], readings: list[tuple[int, Reading]]) -> list[Any]:
    for position, read in readings:
        if row[position] is not None:
            row[position] = read(row[position])
    return row


Batch = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer; `beside` holds the rows `totals`, `minimum` and `maximum`."""

    columns: tuple[str, ...]
    rows: Batch
    beside: dict[str, list[Any]]


def whole(stream: Stream) -> Whole:
    """Reads a stream in JSONCompact to its end. Floats and decimals are `Decimal`. Raises ClickHouseError if the answer breaks off."""
    text = b"".join(stream.pieces)
    if not text.strip():
        return Whole((), [], {})
    try:
        document = _DOCUMENT.decode(text)
        readings = _readings(column["type"] for column in document["meta"])
        extremes = document.get("extremes", {})
        beside = {"totals": document.get("totals"), "minimum": extremes.get("min"), "maximum": extremes.get("max")}
        return Whole(
            tuple(column["name"] for column in document["meta"]),
            [_read(row, readings) for row in document["data"]],
            {name: _read(row, readings) for name, row in beside.items() if row},
        )
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError):
        raise broke_off(text[-_TAIL:].decode(errors="replace")) from None


class Batches:
    """A stream in the format `ROWS`, as batches of rows; floats and decimals are `Decimal`. The totals of WITH TOTALS are left out.

    `columns` is empty for a statement without an answer. Iterating raises ClickHouseError if the answer breaks off.
    """

    def __init__(self, stream: Stream) -> None:
        self._pieces = stream.pieces
        self._held = b""
        self._waiting: list[bytes] = []
        self.columns: tuple[str, ...] = ()
        self._readings: list[tuple[int, Reading]] = []
        self._ended = False
        self._begin()

    def _begin(self) -> None:
        lines: list[bytes] = []
        for piece in self._pieces:
            lines += self._lines(piece)
            if len(lines) > 1:
                self.columns = tuple(_line(lines[0]))
                self._readings = _readings(_line(lines[1]))
                self._waiting = lines[2:]
                return
        if lines or self._held:
            raise broke_off(b"\n".join([*lines, self._held]).decode(errors="replace"))

    def _lines(self, piece: bytes) -> list[bytes]:
        *lines, self._held = (self._held + piece).split(b"\n")
        if len(self._held) > MOST_ROW:
            raise broke_off(f"a row is larger than {MOST_ROW >> 20} MiB")
        return lines

    def __iter__(self) -> Iterator[Batch]:
        if self._waiting:
            yield self._batch(self._waiting)
        for piece in self._pieces:
            lines = self._lines(piece)
            if lines:
                yield self._batch(lines)
        if self._held:
            raise broke_off(self._held.decode(errors="replace"))

    def _batch(self, lines: list[bytes]) -> Batch:
        rows: Batch = []
        for line in lines:
            self._ended = self._ended or not line  # an empty line precedes the totals, which the embedded engine does not write
            if self._ended:
                break
            row = _line(line)
            if len(row) != len(self.columns):
                raise broke_off(line.decode(errors="replace"))
            rows.append(_read(row, self._readings))
        return rows


def _line(line: bytes) -> list[Any]:
    try:
        return _LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _LINE.decode(line.decode(errors="replace"))  # texts in ClickHouse may hold any bytes
    except msgspec.DecodeError:
        raise broke_off(line.decode(errors="replace")) from None
