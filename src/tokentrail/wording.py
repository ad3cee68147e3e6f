"""Numbers with nouns in sentences: 1 record, 2 records, 1,000 records."""

from __future__ import annotations

__all__ = ["counted", "of_number"]


def of_number(number: int, one: str, several: str = "") -> str:
    """Returns the noun in singular or plural; `several` is the plural if the plural is not formed by an s."""
    return one if abs(number) == 1 else several or f"{one}s"


def counted(number: int, one: str, several: str = "") -> str:
    """Returns the number, with grouped digits, and the noun in singular or plural."""
    return f"{number:,} {of_number(number, one, several)}"
