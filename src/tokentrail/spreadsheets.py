"""Texts in CSV: what a spreadsheet would take for a formula, which can call programs and send data away, gets an apostrophe before it."""

from __future__ import annotations

from typing import Final

__all__ = ["no_formula"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula may begin with (OWASP, CSV injection): also the wide signs of East Asian scripts, and what is passed over before a sign."""


def no_formula(text: str) -> str:
    """Returns a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
