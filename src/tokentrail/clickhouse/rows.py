"""Rows out of ClickHouse's JSON: a whole answer at once, or batch by batch while it comes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from tokentrail.clickhouse.errors import broke_off
from tokentrail.clickhouse.streams import Stream

__all__ = ["Batch", "Batches", "Result", "decode"]

_INTEGER: Final = re.compile(r"(?:Nullable\(|LowCardinality\(|Array\(|SimpleAggregateFunction\(\w+, )*U?Int\d+\b").match
_LINE: Final = msgspec.json.Decoder(list[Any], float_hook=Decimal)  # as exact as ClickHouse writes them


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer: column names, and rows as tuples in their order."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as one dictionary each."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def decode(answer: bytes) -> Result:
    """The rows of an answer in JSONCompact; none for a statement that has no answer."""
    if not answer.strip():
        return Result((), [])
    decoded = json.loads(answer)
    columns = tuple(column["name"] for column in decoded["meta"])
    quoted = _quoted(column["type"] for column in decoded["meta"])
    for row in decoded["data"]:
        for position in quoted:
            row[position] = _integers(row[position])
    return Result(columns, [tuple(row) for row in decoded["data"]])


def _quoted(types: Any) -> list[int]:
    """Columns that servers before 25.8 quote: 64-bit integers, and a read-only user may not change that setting."""
    return [position for position, kind in enumerate(types) if _INTEGER(kind)]


def _integers(value: Any) -> Any:
    if isinstance(value, list):
        return [_integers(item) for item in value]
    return int(value) if isinstance(value, str) else value


Batch = list[list[Any]]


class Batches:
    """A stream in the format `ROWS`, as batches of rows; floats and decimals are `Decimal`.

    `columns` is empty for a statement that has no answer. Iterating raises ClickHouseError where the answer breaks off.
    """

    def __init__(self, stream: Stream) -> None:
        self._pieces = stream.pieces
        self._held = b""
        self._waiting: list[bytes] = []
        self.columns: tuple[str, ...] = ()
        self._numbers: list[int] = []
        self._begin()

    def _begin(self) -> None:
        lines: list[bytes] = []
        for piece in self._pieces:
            lines += self._lines(piece)
            if len(lines) > 1:
                self.columns = tuple(_line(lines[0]))
                self._numbers = _quoted(_line(lines[1]))
                self._waiting = lines[2:]
                return
        if lines or self._held:
            raise broke_off(b"\n".join([*lines, self._held]).decode(errors="replace"))

    def _lines(self, piece: bytes) -> list[bytes]:
        *lines, self._held = (self._held + piece).split(b"\n")
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
            if not line:  # what follows are the totals of WITH TOTALS, a further row
                continue
            row = _line(line)
            if len(row) != len(self.columns):
                raise broke_off(line.decode(errors="replace"))
            for position in self._numbers:
                row[position] = _integers(row[position])
            rows.append(row)
        return rows


def _line(line: bytes) -> list[Any]:
    try:
        return _LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _LINE.decode(line.decode(errors="replace"))  # texts in ClickHouse may be any bytes
    except msgspec.DecodeError:
        raise broke_off(line.decode(errors="replace")) from None
