"""Parts of sentences: numbers with nouns (1 record, 2 records, 1,000 records), and suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["counted", "did_you_mean", "of_number"]


def of_number(number: int, one: str, several: str = "") -> str:
    """Returns the noun in singular or plural; `several` is the plural if the plural is not formed by an s."""
    return one if abs(number) == 1 else several or f"{one}s"


def counted(number: int, one: str, several: str = "") -> str:
    """Returns the number, with grouped digits, and the noun in singular or plural."""
    return f"{number:,} {of_number(number, one, several)}"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Returns a question with the closest of `words`, after a space; empty if no word is close."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f" Did you mean {close[0]}?" if close else ""
