"""Formats tables for people: as wide as the terminal, without broken words. Rows that are too wide become blocks, as in ClickHouse's Vertical."""

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

__all__ = ["is_empty", "is_number", "plain", "shown", "steers", "table", "vertical"]

GAP: Final = "  "
NARROWEST_TEXT: Final = 16
"""The smallest width of a folded text, in columns."""

_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that scripts and emoji need."""

Row = Sequence[Any]

_NUMBER: Final = re.compile(r"-?[\d,]+(?:\.\d+)?", re.ASCII)

_WORDS: Final = re.compile(r"\s+|(?<=[/:,;|])(?=[^\W\d_])")
"""Places where a text may be folded: at a space, and between the parts of a path or list. A name (gpt-4o-mini, api.groq.com) stays whole."""

_PARTS: Final = re.compile(r"\s+|(?<=[-/_:.,;|])(?=[^\W\d_])")
"""Places where a name may be folded in a table that is too wide otherwise: after a sign before a letter (so not within 2026-11-26)."""


def is_number(value: Any) -> bool:
    """Whether a value is a number, and so right-aligned."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def is_empty(value: Any) -> bool:
    """Whether a value is NULL or an empty text, list or map."""
    return value is None or value in ("", [], {})


def plain(value: Any) -> str:
    """Formats a value as text, numbers in ClickHouse's notation: 1e-7, nan, inf."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value).replace("E+", "e").replace("E", "e")
    return str(value) if is_number(value) else _nested(value)


def _nested(value: Any) -> str:
    """Formats a list, map or other value like JSON; numbers as `plain` formats them, without quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_nested(name)}: {_nested(each)}" for name, each in value.items()) + "}"
    return plain(value) if is_number(value) else json.dumps(value, ensure_ascii=False)


def shown(value: Any, *, grouped: bool = False) -> str:
    """Formats a value for people: NULL is a dash, control characters are escaped, digits are grouped if `grouped`."""
    if value is None:
        return "-"
    if grouped and is_number(value):
        return f"{value:,}"
    text = plain(value)
    return text if text.isprintable() else "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(sign: str) -> str:
    if sign == "\t":
        return "    "
    if sign == "\n" or not steers(sign):
        return sign
    return f"\\x{ord(sign):02x}" if unicodedata.category(sign) == "Cc" else f"\\u{ord(sign):04x}"


def steers(sign: str) -> bool:
    """Whether a character steers a terminal or changes the order of others: controls, marks of direction, invisible characters, line separators."""
    return sign not in _JOINERS and unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp")


@dataclass(slots=True)
class _Column:
    """A column: heading, cells and foot as lines, and the width."""

    heading: list[str]
    cells: list[list[str]]
    foot: list[str]
    right: bool
    width: int = 0

    def measure(self) -> None:
        """Sets the width to the longest line."""
        self.width = max(cell_len(line) for lines in (self.heading, self.foot, *self.cells) for line in lines or [""])

    def align(self) -> None:
        """Puts the decimal points of the cells below each other."""
        lines = [lines[0] for lines in (self.foot, *self.cells) if len(lines) == 1 and _NUMBER.fullmatch(lines[0])]
        digits = max((len(line.partition(".")[2]) + 1 for line in lines if "." in line), default=0)
        if digits:
            self.cells = [[_padded(line, digits) for line in lines] for lines in self.cells]
            self.foot = [_padded(line, digits) for line in self.foot]

    def narrowest(self, at: re.Pattern[str]) -> int:
        """Returns the smallest width that folding `at` those places can reach."""
        if self.right:
            return self.width
        words = max((cell_len(word) for lines in (self.foot, *self.cells) for line in lines for word in at.split(line)), default=0)
        return min(self.width, max(NARROWEST_TEXT, words, *(cell_len(line) for line in self.heading)))

    def fold(self, at: re.Pattern[str], width: int) -> None:
        """Folds lines longer than `width` at those places."""
        self.cells = [[folded for line in lines for folded in _fold_line(at, line, width)] for lines in self.cells]
        self.foot = [folded for line in self.foot for folded in _fold_line(at, line, width)]
        self.measure()

    def padded(self, lines: list[str], at: int) -> str:
        """Returns line number `at` of a cell, padded to the column's width."""
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
    """Formats rows as a table of at most `width` columns (`None`: any width). Returns `None` if the table does not fit.

    A table that is too wide is narrowed in this order: headings are folded at spaces, texts between words, headings get their `short` form, and names
    are folded if `names_may_fold`. The digits of the columns `counts` are grouped.
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
        if column.right:
            column.align()
        column.measure()
    if width is not None and not _fit(columns, width, short or {}, (_WORDS, _PARTS) if names_may_fold else (_WORDS,)):
        return None
    return "".join(f"{line.rstrip()}\n" for line in _lines(columns, rule))


def _padded(number: str, digits: int) -> str:
    """Returns a number with spaces in place of the decimals (and the point) that it lacks of `digits` signs."""
    if not _NUMBER.fullmatch(number):
        return number
    _, point, decimals = number.partition(".")
    return number + " " * (digits - len(point + decimals))


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


def _fold_line(places: re.Pattern[str], line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    folded, current = [], ""
    at = 0
    for end in [*(found.end() for found in places.finditer(line)), len(line)]:
        piece, at = line[at:end], end
        if current and cell_len((current + piece).rstrip()) > width:
            folded.append(current.rstrip())
            current = ""
        current += piece
    return [*folded, current.rstrip()]


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
    """Yields rows as blocks of `name: value`, each under its number (from `first` on) or `title`. The digits of the columns `counts` are grouped."""
    margin = max(map(cell_len, headings), default=0) + 2
    for number, row in enumerate(rows):
        head = title or f"Row {first + number}:"
        lines = [head, rule * cell_len(head)]
        for name, value in zip(headings, row, strict=True):
            head = f"{name}:"
            text = shown(value, grouped=name in counts).replace("\n", "\n" + " " * margin)
            lines.append(f"{head}{' ' * (margin - cell_len(head))}{text}".rstrip())
        yield "\n".join([*lines, "", ""])
