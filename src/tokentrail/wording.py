"""Counts in sentences: one record, two records, 1,000 records."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str, nouns: str = "") -> str:
    """A number with its noun; `nouns` is the plural where an s does not make it."""
    return f"{number:,} {noun if abs(number) == 1 else nouns or f'{noun}s'}"
