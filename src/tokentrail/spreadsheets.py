"""Texts in CSV: what a spreadsheet would take for a formula, which can call programs and send data away, gets an apostrophe before it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import IO, Final

__all__ = ["no_formula", "write_lines"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula may begin with (OWASP, CSV injection): also the wide signs of East Asian scripts, and what is passed over before a sign."""


def no_formula(text: str) -> str:
    """Returns a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_lines(file: IO[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes rows as CSV, in lines that end with a line feed.

    A carriage return is quoted, which csv does only where it ends lines: readers that begin a line there would take what follows for a formula.
    """
    usual, quoted = csv.writer(file, lineterminator="\n"), csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        (quoted if "\r" in "".join(row) else usual).writerow(row)
