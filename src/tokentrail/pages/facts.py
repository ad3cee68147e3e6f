"""The answers of the named questions for one selection. Every number of a page comes from here, and so from `ledger/questions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.ledger.verify import Verification
from tokentrail.pages.selection import FILTERS, Selection

__all__ = ["DIMENSIONS", "Facts", "Row", "Totals", "collect"]

Row = dict[str, Any]
DIMENSIONS: Final = tuple(FILTERS.values())
MOST_STEPS: Final = 92
"""Steps of a plot at most: three months of days."""
LATEST: Final = 30
DEAREST: Final = 15
_STEPS: Final = (("hour", timedelta(days=3)), ("day", timedelta(days=MOST_STEPS)), ("week", timedelta(weeks=MOST_STEPS)))
"""The step of a range whose length is known: the first one whose limit is not passed, else a month."""
_SUMS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "calls", "error_calls", "estimated_calls", "unknown_calls")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all calls of a selection; None where no call stated a number. `costs` by currency; calls without a price are in no cost."""

    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    reasoning_tokens: int | None
    calls: int
    error_calls: int
    estimated_calls: int
    unknown_calls: int
    costs: dict[str, Decimal] = field(default_factory=dict)
    unpriced_calls: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens that are known."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def reported_calls(self) -> int:
        """Calls whose counts the provider reported."""
        return self.calls - self.estimated_calls - self.unknown_calls


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a page states. `None` for what was not asked."""

    selection: Selection
    asked_at: datetime
    totals: Totals
    before: Totals | None
    priced: bool
    """Whether the ledger holds a price list: without one, nothing is asked about costs."""
    by: dict[str, list[Row]]
    """The answers of `tokens`, by dimension."""
    costs: dict[str, list[Row]]
    """The answers of `cost`, by dimension."""
    step: str
    trend_by: str
    trend: list[Row]
    hours: list[Row]
    prompt_cache: list[Row]
    certainty: list[Row]
    dearest: list[Row] | None = None
    response_cache: list[Row] | None = None
    verification: Verification | None = None
    latest: list[Row] | None = None


def collect(client: Client, selection: Selection, now: datetime, *, live: bool) -> Facts:
    """Asks the questions of a page: of the dashboard (`live`) with the latest calls, of the report with all that takes longer."""

    def ask(name: str, about: Selection = selection, **more: Any) -> list[Row]:
        return answer(client, name, about.parameters(**more)).dicts()

    priced = bool(answer(client, "price_lists").rows)
    by = {dimension: ask("tokens", by=dimension) for dimension in DIMENSIONS}
    costs = {dimension: ask("cost", by=dimension) for dimension in DIMENSIONS} if priced else {}
    earlier = selection.before(now)
    before = None
    if earlier is not None:
        before = _totals(ask("tokens", earlier, by="provider"), ask("cost", earlier, by="provider") if priced else [])
    trend_by = "model" if len(by["provider"]) == 1 else "provider"
    step, trend = _trend(ask, selection, now, trend_by)
    facts: dict[str, Any] = {
        "hours": ask("hours_of_the_week", timezone=selection.timezone),
        "prompt_cache": ask("prompt_cache"),
        "certainty": ask("certainty"),
    }
    if live:
        facts["latest"] = ask("latest_calls", most=LATEST)
    else:
        facts |= {"dearest": ask("dearest_operations", most=DEAREST), "response_cache": ask("response_cache")}
    totals = _totals(by["provider"], costs.get("provider", []))
    return Facts(selection, now, totals, before, priced, by, costs, step, trend_by, trend, **facts)


def _trend(ask: Any, selection: Selection, now: datetime, by: str) -> tuple[str, list[Row]]:
    """Returns the step and the rows of `tokens_over_time`. Without a start, the step follows from the days that have calls."""

    def asked(step: str) -> list[Row]:
        rows: list[Row] = ask("tokens_over_time", step=step, by=by, timezone=selection.timezone)
        return rows

    length = selection.length(now)
    if length is None:
        days = asked("day")
        if not days:
            return "day", days
        length = datetime.fromisoformat(days[-1]["time"]) - datetime.fromisoformat(days[0]["time"]) + timedelta(days=1)
        step = _step(length)
        return step, days if step == "day" else asked(step)
    step = _step(length)
    return step, asked(step)


def _step(length: timedelta) -> str:
    return next((step for step, limit in _STEPS if length <= limit), "month")


def _totals(tokens: Sequence[Row], costs: Sequence[Row]) -> Totals:
    sums: dict[str, Any] = {name: _sum(row[name] for row in tokens) for name in _SUMS}
    for name in ("calls", "error_calls", "estimated_calls", "unknown_calls"):
        sums[name] = sums[name] or 0
    money: dict[str, Decimal] = {}
    for row in costs:
        if row["cost"] is not None:
            money[row["currency"]] = money.get(row["currency"], Decimal(0)) + row["cost"]
    return Totals(**sums, costs=money, unpriced_calls=sum(row["unpriced_calls"] for row in costs))


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
