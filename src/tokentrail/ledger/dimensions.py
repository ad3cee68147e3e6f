"""Dimensions of the view `usage`: columns, keys of the metadata (`metadata.team`), and the steps of time."""

from __future__ import annotations

from typing import Final

from tokentrail.clickhouse.lists import FILTERS, metadata_value
from tokentrail.wording import did_you_mean

__all__ = ["COLUMNS", "DIMENSIONS", "METADATA", "TIMES", "UnknownDimensionError", "column", "expression", "parse_where"]

METADATA: Final = "metadata."
"""What the name of a dimension begins with that is a key of the metadata."""
TIMES: Final = ("month", "week", "day", "hour")
COLUMNS: Final = FILTERS
DIMENSIONS: Final = (*COLUMNS[:7], *TIMES, *sorted(COLUMNS[7:]))
"""The names of all dimensions except the keys of the metadata."""


class UnknownDimensionError(ValueError):
    """A dimension that the view does not have. The sentence lists the view's dimensions."""


def column(name: str) -> str:
    """Returns the name of a dimension. Raises `UnknownDimensionError` for any other word."""
    if name in DIMENSIONS or (name.startswith(METADATA) and name != METADATA):
        return name
    raise UnknownDimensionError(
        f"there is no dimension {name!r}.{did_you_mean(name, [*DIMENSIONS, METADATA])} "
        f"Use some of {', '.join(DIMENSIONS)}, or metadata.KEY for a key of the metadata."
    )


def expression(name: str) -> str:
    """Returns the SQL of a dimension's value."""
    if not name.startswith(METADATA):
        return name
    key = name.removeprefix(METADATA).replace("\\", "\\\\").replace("'", "\\'")
    return metadata_value(f"'{key}'")


def parse_where(text: str) -> str:
    """Returns a filter `NAME=VALUE` with the dimension's whole name. Raises `ValueError` for a name that is none, or without a value."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE, such as endpoint=chat or metadata.team=search")
    name = column(name.strip())
    if name in TIMES:
        raise ValueError(f"{name} is a time: choose it by from and to")
    return f"{name}={value}"
