"""Tables for people: as wide as the terminal, words whole. What cannot stand side by side stands as one block a row, as in ClickHouse's Vertical."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Final

from rich.cells import cell_len

__all__ = ["is_empty", "is_number", "plain", "table", "vertical"]

GAP: Final = "  "
NARROWEST_TEXT: Final = 16
"""Columns that a text keeps at least when it is folded."""

Row = Sequence[Any]

_WORDS: Final = re.compile(r"\s+|(?<=[/:,;|])(?=[^\W\d_])")
"""Where a text may be folded: at a space, and between the parts of a path or list. A name (gpt-4o-mini, api.groq.com, tenant_id) stays whole."""

_PARTS: Final = re.compile(r"\s+|(?<=[-/_:.,;|])(?=[^\W\d_])")
"""Where a name may be folded too, in a table that would not fit otherwise: behind a sign that a letter follows (so not within 2026-11-26)."""


def is_number(value: Any) -> bool:
    """Whether a value stands on the right."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def is_empty(value: Any) -> bool:
    """NULL, or a text, list or map that holds nothing."""
    return value is None or value in ("", [], {})


def plain(value: Any) -> str:
    """A value as text, numbers as ClickHouse writes them: 1e-7, nan, inf."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value).replace("E+", "e").replace("E", "e")
    return str(value) if is_number(value) else _nested(value)


def _nested(value: Any) -> str:
    """A value that is no text of its own, in the manner of JSON; numbers in it as `plain` writes them, without quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_nested(name)}: {_nested(each)}" for name, each in value.items()) + "}"
    return plain(value) if is_number(value) else json.dumps(value, ensure_ascii=False)


def shown(value: Any, *, grouped: bool = False) -> str:
    """A value for people: NULL a dash, nothing that moves the cursor; the digits of a count are `grouped`."""
    if value is None:
        return "-"
    if grouped and is_number(value):
        return f"{value:,}"
    text = plain(value)
    return text if text.isprintable() else "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(sign: str) -> str:
    if sign == "\t":
        return "    "
    if sign == "\n" or unicodedata.category(sign) != "Cc":
        return sign
    return f"\\x{ord(sign):02x}"


@dataclass(slots=True)
class _Column:
    """A column: heading, cells and foot as lines, and how wide it is."""

    heading: list[str]
    cells: list[list[str]]
    foot: list[str]
    right: bool
    width: int = 0

    def measure(self) -> None:
        """Make the column as wide as its longest line."""
        self.width = max(cell_len(line) for lines in (self.heading, self.foot, *self.cells) for line in lines or [""])

    def narrowest(self, at: re.Pattern[str]) -> int:
        """How narrow folding `at` those places may make it."""
        if self.right:
            return self.width
        words = max((cell_len(word) for lines in (self.foot, *self.cells) for line in lines for word in at.split(line)), default=0)
        return min(self.width, max(NARROWEST_TEXT, words, *(cell_len(line) for line in self.heading)))

    def fold(self, at: re.Pattern[str], width: int) -> None:
        """Fold what is longer than `width`, at those places."""
        self.cells = [[folded for line in lines for folded in _folded(at, line, width)] for lines in self.cells]
        self.foot = [folded for line in self.foot for folded in _folded(at, line, width)]
        self.measure()

    def padded(self, lines: list[str], at: int) -> str:
        """Line number `at` of a cell, filled up to the column's width."""
        text = lines[at] if at < len(lines) else ""
        space = " " * (self.width - cell_len(text))
        return space + text if self.right else text + space


def table(
    headings: Sequence[str],
    rows: Sequence[Row],
    *,
    width: int | None,
    rule: str = "─",
    footer: Row | None = None,
    short: Mapping[str, str] | None = None,
    counts: Container[str] = (),
    names_may_fold: bool = False,
) -> str | None:
    """Rows side by side within `width` columns (`None`: as wide as they are); `None` where they do not fit.

    To make them fit, headings are folded at spaces, texts between words, and headings given their `short` form, in this order; at last names are
    folded, where they may. The digits of the columns `counts` are grouped.
    """
    columns = [
        _Column(
            [name],
            [shown(row[at], grouped=name in counts).split("\n") for row in rows],
            [shown(footer[at], grouped=name in counts)] if footer else [],
            any(is_number(row[at]) for row in rows),
        )
        for at, name in enumerate(headings)
    ]
    for column in columns:
        column.measure()
    if width is not None and not _fit(columns, width, short or {}, (_WORDS, _PARTS) if names_may_fold else (_WORDS,)):
        return None
    return "".join(f"{line.rstrip()}\n" for line in _lines(columns, rule))


def _fit(columns: list[_Column], width: int, short: Mapping[str, str], places: Sequence[re.Pattern[str]]) -> bool:
    def excess() -> int:
        return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1) - width

    if excess() <= 0:
        return True
    whole = [column.heading[0] for column in columns]
    for at, names in product(places, (whole, [short.get(name, name) for name in whole])):
        for column, name in zip(columns, names, strict=True):
            column.heading = name.split(" ")
            column.measure()
        if excess() <= 0:
            return True
        if sum(column.width - column.narrowest(at) for column in columns) < excess():
            continue
        while (more := excess()) > 0:  # the widest first
            widest = max((column for column in columns if column.width > column.narrowest(at)), key=lambda column: column.width)
            widest.fold(at, max(widest.narrowest(at), widest.width - more))
        return True
    return False


def _folded(places: re.Pattern[str], line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    folded, begun = [], ""
    at = 0
    for end in [*(found.end() for found in places.finditer(line)), len(line)]:
        piece, at = line[at:end], end
        if begun and cell_len((begun + piece).rstrip()) > width:
            folded.append(begun.rstrip())
            begun = ""
        begun += piece
    return [*folded, begun.rstrip()]


def _lines(columns: list[_Column], rule: str) -> Iterator[str]:
    yield from _side_by_side(columns, [column.heading for column in columns])
    ruled = rule * (sum(column.width for column in columns) + len(GAP) * (len(columns) - 1))
    yield ruled
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield from _side_by_side(columns, cells)
    if any(column.foot for column in columns):
        yield ruled
        yield from _side_by_side(columns, [column.foot for column in columns])


def _side_by_side(columns: list[_Column], cells: Sequence[list[str]]) -> Iterator[str]:
    for at in range(max(map(len, cells), default=0)):
        yield GAP.join(column.padded(lines, at) for column, lines in zip(columns, cells, strict=True))


def vertical(
    headings: Sequence[str], rows: Sequence[Row], *, rule: str = "─", first: int = 1, title: str = "", counts: Container[str] = ()
) -> Iterator[str]:
    """Rows as blocks of `name: value`, each under its number (from `first` on) or `title`. The digits of the columns `counts` are grouped."""
    margin = max(map(cell_len, headings), default=0) + 2
    for number, row in enumerate(rows):
        head = title or f"Row {first + number}:"
        lines = [head, rule * cell_len(head)]
        for name, value in zip(headings, row, strict=True):
            head = f"{name}:"
            text = shown(value, grouped=name in counts).replace("\n", "\n" + " " * margin)
            lines.append(f"{head}{' ' * (margin - cell_len(head))}{text}".rstrip())
        yield "\n".join([*lines, "", ""])
