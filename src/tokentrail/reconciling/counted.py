"""The ledger's side: tokens, calls and costs by day, model and whatever else the bill divides by, from the sums by day where these have all that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.counts import COUNTS
from tokentrail.ledger.dimensions import METADATA, expression
from tokentrail.ledger.query import read
from tokentrail.ledger.report import relation
from tokentrail.money import EXACT
from tokentrail.reconciling.cells import REQUESTS, Interval
from tokentrail.reconciling.finding import COST, cost_of

__all__ = ["HOLDERS", "Counted", "Row", "Sides", "holds", "rows_of"]

HOLDERS: Final = ("tenant_id", "service_name", "environment", "operation_id", "metadata.KEY")
"""The columns of the ledger that may hold what a provider calls a project or a key, since corrections can state them."""
_COUNTS: Final = tuple(count.name for count in COUNTS)
FACTS: Final = (  # what could explain a difference
    "unpriced_calls",
    "estimated_calls",
    "estimated_input_tokens",
    "estimated_output_tokens",
    "unknown_calls",
    "partial_calls",
    "partial_output_tokens",
    "error_calls",
    "retries",
    "batch_calls",
)
_DAY: Final = timedelta(days=1)
_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


def holds(dimension: str) -> bool:
    """Whether a column can hold a bill's project or key."""
    return dimension in HOLDERS[:-1] or (dimension.startswith(METADATA) and dimension != METADATA)


@dataclass(frozen=True, slots=True)
class Sides:
    """What the ledger knows of a bill's projects and keys: the dimensions that hold them (empty: none), and the names that differ, bill's first."""

    project: str = ""
    api_key: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    where: Sequence[str] = ()
    """Filters NAME=VALUE of the usages that the bill is about."""

    @property
    def subject(self) -> str:
        """The usages that the bill is about, in the same words in every run; empty for all."""
        return " ".join(sorted(self.where))

    def of_bill(self, name: str) -> str:
        """Returns the bill's name of what the ledger calls otherwise."""
        return {ledger: bill for bill, ledger in self.names.items()}.get(name, name)

    def of_ledger(self, name: str) -> str:
        """Returns the ledger's name of what the bill calls otherwise."""
        return self.names.get(name, name)


@dataclass(slots=True)
class Counted:
    """What the ledger has of a cell: figures by measure, facts that could explain a difference, the models that were asked for and that answered."""

    figures: dict[str, Decimal] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FACTS, 0))
    models: set[tuple[str, str]] = field(default_factory=set)
    token_types: set[str] = field(default_factory=set)

    @property
    def calls(self) -> int:
        """The number of calls."""
        return int(self.figures.get(REQUESTS, 0))

    @property
    def has_costs(self) -> bool:
        """Whether any of its calls has a price."""
        return any(measure.startswith(COST) for measure in self.figures)

    def add(self, other: Counted) -> None:
        """Adds another cell."""
        for measure, value in other.figures.items():
            self.figures[measure] = EXACT.add(self.figures.get(measure, Decimal(0)), value)
        for name, calls in other.facts.items():
            self.facts[name] = self.facts.get(name, 0) + calls
        self.models |= other.models
        self.token_types |= other.token_types


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger's sums, with the interval to which it belongs."""

    interval: Interval
    provider: str
    request_model: str
    response_model: str
    project: str
    api_key: str
    counted: Counted


def rows_of(
    client: Client, intervals: Sequence[Interval], sides: Sides, *, providers: Sequence[str], daily: bool, counts: bool, cost: bool
) -> Iterator[Row]:
    """Yields what the ledger has within intervals. `daily`: the intervals are whole days in a row, which one question answers.

    `counts` (of tokens, and of calls that could explain a difference in them) and `cost`: what is wanted beside the calls.
    """
    parts = [(intervals[0][0], intervals[-1][1])] if daily and intervals else intervals
    for first, last in parts:
        for row in _summed(client, (first, last), sides, providers, counts=counts, cost=cost):
            day = datetime.combine(datetime.strptime(row["day"], "%Y-%m-%d").date(), time(), timezone.utc)  # noqa: DTZ007 - a date
            yield _row(row, (day, day + _DAY) if daily else (first, last), sides)


def _summed(client: Client, interval: Interval, sides: Sides, providers: Sequence[str], *, counts: bool, cost: bool) -> list[dict[str, Any]]:
    parameters: dict[str, Parameter] = {"from": f"{interval[0]:{_FORMAT}}", "to": f"{interval[1]:{_FORMAT}}", "providers": list(providers)}
    if sides.where:
        parameters["where"] = list(sides.where)
    dimensions = ["day", "provider", "request_model", "response_model", *filter(None, (sides.project, sides.api_key))]
    query = read("reconcile_costs" if cost and not counts else "reconcile_ledger")
    slots = {
        "relation": relation(client, dimensions, parameters, cost=cost),
        "project": expression(sides.project) if sides.project else "''",
        "api_key": expression(sides.api_key) if sides.api_key else "''",
    }
    if counts or not cost:
        slots["cost"] = "toString(u.currency) AS currency, sum(u.cost) AS cost," if cost else "'' AS currency, NULL AS cost,"
    return client.query(query.filled(slots), {**read("selected_costs_by_day").given(), **query.given(parameters)}).dicts()


def _row(row: Mapping[str, Any], interval: Interval, sides: Sides) -> Row:
    figures = {name: Decimal(row[name]) for name in _COUNTS if row.get(name) is not None}
    figures[REQUESTS] = Decimal(row["calls"])
    if row["currency"] and row["cost"] is not None:
        figures[cost_of(row["currency"])] = Decimal(row["cost"])
    facts = {name: int(row.get(name) or 0) for name in FACTS}
    models = {(row["request_model"], row["response_model"])}
    counted = Counted(figures, facts, models, set(row.get("token_types", ())))
    project, api_key = (sides.of_bill(row[name]) for name in ("project", "api_key"))
    return Row(interval, row["provider"], row["request_model"], row["response_model"], project, api_key, counted)
