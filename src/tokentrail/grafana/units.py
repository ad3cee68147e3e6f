"""The unit of a column, in Grafana's words, by the column's name."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNT", "TIME", "unit"]

COUNT: Final = "locale"
"""Whole numbers with separators."""
TIME: Final = "dateTimeAsIso"

_ENDINGS: Final = (
    ("_share", "percentunit"),
    ("_ms", "ms"),
    ("_seconds", "s"),
    ("_cost", "none"),
    ("_per_second", "none"),
    ("_bytes", "bytes"),
    ("_ts", TIME),
)
_NAMES: Final = {
    "share": "percentunit",
    "share_of_tokens": "percentunit",
    "change": "percentunit",
    "cost": "none",
    "duration": "ms",
    "time": TIME,
    "ts": TIME,
    "first": TIME,
    "latest": TIME,
    "startTime": TIME,
}


def unit(column: str) -> str:
    """Returns the unit: shares are percent, counts whole numbers with separators, money plain (its currency stands beside it)."""
    if column in _NAMES:
        return _NAMES[column]
    if column.startswith(("first_", "last_")) and column.endswith("_heard"):
        return TIME
    return next((name for ending, name in _ENDINGS if column.endswith(ending)), COUNT)
