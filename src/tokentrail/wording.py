"""Counts in sentences: 1 record, 2 records, 1,000 records."""

from __future__ import annotations

__all__ = ["counted", "of_number"]


def of_number(number: int, one: str, several: str = "") -> str:
    """The word that goes with a number; `several` is the plural where an s does not make it."""
    return one if abs(number) == 1 else several or f"{one}s"


def counted(number: int, one: str, several: str = "") -> str:
    """A number, its digits grouped, with the word that goes with it."""
    return f"{number:,} {of_number(number, one, several)}"
