"""A panel and a dashboard as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tokentrail.grafana.expressions import Given

__all__ = ["Board", "Kind", "Panel", "Row"]


class Kind(Enum):
    """How an answer is shown."""

    NUMBERS = "stat"
    """One row, a number for each column."""
    LINES = "timeseries"
    """Lines over time, one for each name and column; of money the largest names, and the sum of the rest."""
    STACK = "stack"
    """Bars over time, stacked by name; the names beyond the largest are summed."""
    BARS = "bargauge"
    """One bar for each row."""
    TABLE = "table"
    WEEK = "week"
    """A column of `hours_of_the_week` as a table of weekdays and hours, coloured by the number."""
    TRACE = "traces"


@dataclass(frozen=True, slots=True)
class Panel:
    """One question, asked with the dashboard's variables and the panel's own parameters.

    `columns` are those of the question that are shown, in this order; without them all are. `most` is the number of rows, or of names in a stack.
    """

    title: str
    question: str
    kind: Kind
    columns: tuple[str, ...] = ()
    parameters: Mapping[str, Given] = field(default_factory=dict)
    width: int = 12
    height: int = 9
    most: int = 0
    empty: str = "No calls in this time range with these filters"


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[dict[str, Any], ...] = ()
    time_from: str = "now-7d"
