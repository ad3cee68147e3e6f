"""Numbers and names as people read them in a page."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["LONGEST_NAME", "NOT_STATED", "UNNAMED", "change", "compact", "grouped", "money", "name", "share"]

LONGEST_NAME: Final = 200
"""Characters of a name that a page shows; how long the name is stands behind them."""
NOT_STATED: Final = "-"
UNNAMED: Final = "(none)"
_UNITS: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_UNSEEN: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff\\ud800-\\udfff]")
"""Characters that are not seen, and those that change the order in which others are seen."""


def grouped(value: float | Decimal | None) -> str:
    """Returns a number with grouped digits; a dash where it was not stated."""
    return NOT_STATED if value is None else f"{value:,}"


def compact(value: float) -> str:
    """Returns a number of at most four digits, and its unit: 12.3 M. For the scale of a plot, where exact numbers stand beside."""
    for unit, sign in _UNITS:
        if abs(value) >= unit:
            return f"{value / unit:.3g} {sign}"
    return f"{value:.3g}"


def share(value: float | Decimal | None) -> str:
    """Returns a share as a percentage; what is more than nothing and would be rounded to nothing is below a tenth."""
    if value is None:
        return NOT_STATED
    percent = float(value) * 100
    if 0 < abs(percent) < 0.1:  # noqa: PLR2004 - the last digit that is shown
        return "< 0.1 %"
    return f"{percent:.1f} %"


def change(now: int | Decimal | None, before: int | Decimal | None) -> str:
    """Returns the difference from the period before, in percent; empty where there is nothing to compare with."""
    if not before or now is None:
        return "none before" if now and before == 0 else ""
    rise = (now - before) / before * 100
    return "unchanged" if not rise else f"{'▲' if rise > 0 else '▼'} {abs(rise):,.1f} %"


def money(value: Decimal | None) -> str:
    """Returns an amount: with two digits from a hundred on, else with four; what is more than nothing is never shown as nothing."""
    if value is None:
        return NOT_STATED
    if value and abs(value) < Decimal("0.0001"):
        return "< 0.0001" if value > 0 else "> -0.0001"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:,.4f}"  # noqa: PLR2004 - from a hundred on


def name(text: str) -> str:
    """Returns a name as seen: nothing invisible in it, and not longer than a page bears."""
    if text == "":
        return UNNAMED
    seen = _UNSEEN.sub(lambda sign: f"\\u{{{ord(sign[0]):x}}}", text[:LONGEST_NAME])
    return seen if len(text) <= LONGEST_NAME else f"{seen}… ({len(text):,} characters)"
