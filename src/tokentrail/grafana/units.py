"""The unit of a column, in Grafana's words, by the column's name."""

from __future__ import annotations

from typing import Final

__all__ = ["unit"]

_ENDINGS: Final = (
    ("_share", "percentunit"),
    ("_ms", "ms"),
    ("_seconds", "s"),
    ("_cost", "none"),
    ("_per_second", "none"),
    ("_bytes", "bytes"),
)
_NAMES: Final = {
    "share": "percentunit",
    "share_of_tokens": "percentunit",
    "change": "percentunit",
    "cost": "none",
    "duration": "ms",
    "time": "dateTimeAsIso",
    "ts": "dateTimeAsIso",
    "first": "dateTimeAsIso",
    "latest": "dateTimeAsIso",
    "startTime": "dateTimeAsIso",
}


def unit(column: str) -> str:
    """Returns the unit: shares are percent, counts whole numbers with separators, money plain (its currency stands beside it)."""
    if column in _NAMES:
        return _NAMES[column]
    if column.startswith(("first_", "last_")) and column.endswith("_heard"):
        return "dateTimeAsIso"
    return next((name for ending, name in _ENDINGS if column.endswith(ending)), "locale")
