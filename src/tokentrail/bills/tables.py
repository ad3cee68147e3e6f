"""The rows of a table in a file, one by one, in bounded memory, with the line where each row ends: CSV with any delimiter, packed or not."""

from __future__ import annotations

import codecs
import csv
import filecmp
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tokentrail.bills.errors import BillError
from tokentrail.bills.pages import opened
from tokentrail.bills.report import Notes

__all__ = ["csv_rows", "different_files", "is_parquet"]

LONGEST_LINE: Final = 2**20
LONGEST_ROW: Final = 1_000
"""Lines that one row may take: a quotation mark without its other half would make the rest of the file one cell."""
LARGEST_CELL: Final = 2**30
DELIMITERS: Final = (",", ";", "\t", "|")


def is_parquet(path: Path) -> bool:
    """Whether a file is a Parquet file, by its first bytes."""
    with opened(path) as file:
        return file.peek(4)[:4] == b"PAR1"


def different_files(paths: Sequence[Path], notes: Notes) -> list[Path]:
    """Returns the files without those whose bytes another one of them has: the same file under two names, or named twice.

    Rows of a table have no identity by which a second copy could be told from a second charge of the same amount.
    """
    found: list[Path] = []
    for path in paths:
        if any(_are_alike(path, other) for other in found):
            notes.say("a file that is there twice was read once")
        else:
            found.append(path)
    return found


def _are_alike(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_size > 0 and filecmp.cmp(one, other, shallow=False)
    except OSError:  # the reader says of which file, and why
        return False


def csv_rows(path: Path, delimiter: str = "", encoding: str = "") -> Iterator[tuple[int, list[str]]]:
    """Yields the names of the columns first, then every row that is not empty, each with the line at which it ends.

    Without a delimiter the one counts that occurs most in the first line, or that a spreadsheet's line `sep=;` names. Raises `BillError` for a file
    that is no such table.
    """
    with opened(path) as file:
        lines = _Lines(path, io.TextIOWrapper(file, _codec(encoding), newline=""))
        first = next(lines, "")
        if first.lower().startswith("sep=") and len(first.strip()) == len("sep=;"):
            delimiter = delimiter or first.strip()[-1]
            first = next(lines, "")
        if not first.strip():
            raise BillError(f"{path} is empty" if not first else f"{path} does not begin with the names of its columns")
        delimiter = delimiter or max(DELIMITERS, key=first.count)
        csv.field_size_limit(LARGEST_CELL)  # of the whole process; a cell is bounded by the lines of its row
        reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
        width = 0
        try:
            for cells in reader:
                lines.begin_row()
                if not any(cells):
                    continue
                if width and len(cells) != width:
                    raise BillError(f"{path}, line {lines.number}: the row has {len(cells)} cells where the first line has {width}")
                width = width or len(cells)
                yield lines.number, cells
        except csv.Error:
            raise BillError(f"{path}, line {lines.number}: its CSV is broken, or ends in the middle of a cell") from None


def _codec(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding or "utf-8").name
    except LookupError:
        raise BillError(f"{encoding!r} is no encoding that is known, such as utf-8, utf-16 or cp1252") from None
    return "utf-8-sig" if name == "utf-8" else name


class _Lines:
    """The lines of a file, none longer than a megabyte, and not too many for one row."""

    __slots__ = ("_file", "_path", "_taken", "number")

    def __init__(self, path: Path, file: io.TextIOWrapper) -> None:
        self._path = path
        self._file = file
        self._taken = 0
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken += 1
        if len(line) >= LONGEST_LINE or self._taken > LONGEST_ROW:
            what = f"a row of more than {LONGEST_ROW:,} lines" if self._taken > LONGEST_ROW else "a line of more than a megabyte"
            raise BillError(f"{self._path}, line {self.number}: it has {what}; is a quotation mark without its other half?")
        return line

    def begin_row(self) -> None:
        """Begins to count the lines of the next row."""
        self._taken = 0
