"""The answers of the named questions for one selection. Every number of a page comes from here, and so from `ledger/questions`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import read
from tokentrail.pages.selection import FILTERS, Selection

__all__ = ["DIMENSIONS", "Facts", "Now", "Parts", "Row", "Totals", "Wanted", "collect", "step_of"]

Row = dict[str, Any]
_Ask = Callable[..., Future[list[Row]]]
DIMENSIONS: Final = tuple(FILTERS.values())
MOST_STEPS: Final = 92
"""Steps of a plot at most: three months of days."""
LATEST: Final = 30
DEAREST: Final = 15
SIDE_BY_SIDE: Final = min(4, max(2, os.cpu_count() or 2))
"""Questions that are asked at once."""
_STEPS: Final = (("hour", timedelta(days=3)), ("day", timedelta(days=MOST_STEPS)), ("week", timedelta(weeks=MOST_STEPS)))
"""The step of a range whose length is known: the first one whose limit is not passed, else a month."""
_COUNTED: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
_CALLS: Final = ("calls", "error_calls", "estimated_calls", "unknown_calls", "unpriced_calls")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all calls of a selection, or those of one name; None where no call stated a number.

    `costs` are by currency; calls without a price are in no cost.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    reasoning_tokens: int | None = None
    calls: int = 0
    error_calls: int = 0
    estimated_calls: int = 0
    unknown_calls: int = 0
    unpriced_calls: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Input and output tokens that are known."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def reported_calls(self) -> int:
        """Calls whose counts the provider reported."""
        return self.calls - self.estimated_calls - self.unknown_calls


@dataclass(frozen=True, slots=True)
class Now:
    """What changes with every call: the totals, the totals of the period before, and the calls over time; of the dashboard the latest calls too."""

    before: Totals | None
    step: str
    trend_by: str
    trend: list[Row]
    latest: list[Row] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """How the totals come about: by dimension, by hour of the week, from caches, and how sure they are; of the report the dearest operations too."""

    by: dict[str, dict[str, Totals]]
    """By dimension, the totals of each name: most tokens first."""
    cost_step: str
    cost_trend: list[Row]
    """The answer of `cost_over_time`, by provider; empty where nothing has a price."""
    summed_days: int
    """The days that were read from their sums by day."""
    hours: list[Row]
    prompt_cache: list[Row]
    certainty: list[Row]
    dearest: list[Row] | None
    response_cache: list[Row] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a page states, as far as it was asked."""

    selection: Selection
    asked_at: datetime
    totals: Totals
    priced: bool
    """Whether the ledger holds a price list: without one, nothing is stated about costs."""
    now: Now | None = None
    parts: Parts | None = None


class Wanted(Enum):
    """What a page is to state."""

    REPORT = "everything, and what takes longer"
    DASHBOARD = "everything, and the latest calls"
    NOW = "what changes with every call"
    PARTS = "how the totals come about"


def collect(client: Client, selection: Selection, now: datetime, wanted: Wanted) -> Facts:
    """Asks the questions of a page, several at once: to plan a question takes the engine longer than to answer one about some thousand calls."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="tokentrail-page") as pool:

        def ask(name: str, about: Selection = selection, **more: Any) -> Future[list[Row]]:
            return pool.submit(_answered, client, name, about.parameters(**more))

        earlier = None if wanted is Wanted.PARTS else selection.before(now)
        overview = ask("overview", **_periods(selection, earlier), dimensions=["provider"] if wanted is Wanted.NOW else list(DIMENSIONS))
        prices = pool.submit(_answered, client, "price_lists", {})
        latest = ask("latest_calls", most=LATEST) if wanted in (Wanted.DASHBOARD, Wanted.NOW) else None
        asked_parts = None if wanted is Wanted.NOW else _parts(ask, selection, now, slow=wanted is Wanted.REPORT)
        by = _by_dimension(row for row in overview.result() if row["period"] == "now")
        asked_now = None
        if wanted is not Wanted.PARTS:
            before = _by_dimension(row for row in overview.result() if row["period"] == "before")
            trend_by = "model" if len(by.get("provider", ())) == 1 else "provider"
            step, trend = _trend(ask, selection, now, "tokens_over_time", trend_by)
            asked_now = Now(
                before=None if earlier is None else _total(before),
                step=step,
                trend_by=trend_by,
                trend=trend,
                latest=None if latest is None else latest.result(),
            )
        return Facts(selection, now, _total(by), bool(prices.result()), asked_now, asked_parts and asked_parts(by))


def _answered(client: Client, name: str, parameters: Mapping[str, Parameter]) -> list[Row]:
    question = read(name)
    return client.query(question.filled(), question.given(parameters), read_only=True).dicts()


def _periods(selection: Selection, earlier: Selection | None) -> dict[str, Any]:
    """Returns the bounds of a period and of the one before it, as the question `overview` takes them."""
    if earlier is None or earlier.start is None or earlier.end is None or selection.start is None:
        return {}
    return {"from": earlier.start, "until": earlier.end, "since": selection.start, "cuts": [earlier.end, selection.start]}


def _by_dimension(rows: Iterable[Row]) -> dict[str, dict[str, Totals]]:
    """Returns the totals of each dimension's names: an answer of `overview` has a row for each currency."""
    grouped: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        grouped.setdefault(row["dimension"], {}).setdefault(row["name"], []).append(row)
    summed = {dimension: {name: _totals(same) for name, same in names.items()} for dimension, names in grouped.items()}
    return {dimension: dict(sorted(names.items(), key=lambda each: (-each[1].tokens, each[0]))) for dimension, names in summed.items()}


def _total(by: Mapping[str, Mapping[str, Totals]]) -> Totals:
    return by.get("total", {}).get("", Totals())


def _parts(ask: _Ask, selection: Selection, now: datetime, *, slow: bool) -> Callable[[dict[str, dict[str, Totals]]], Parts]:
    """Begins to ask the further questions about the parts. Returns a function that waits for the answers."""
    late = (ask("dearest_operations", most=DEAREST), ask("response_cache")) if slow else None
    days = ask("days_with_sums", replace(selection, filters={}))
    hours, cached, certain = ask("hours_of_the_week", timezone=selection.timezone), ask("prompt_cache"), ask("certainty")

    def answered(by: dict[str, dict[str, Totals]]) -> Parts:
        step, costs = _trend(ask, selection, now, "cost_over_time", "provider") if _total(by).costs else ("", [])
        return Parts(
            by={dimension: by.get(dimension, {}) for dimension in DIMENSIONS},
            cost_step=step,
            cost_trend=costs,
            summed_days=sum(row["is_priced"] for row in days.result()),
            hours=hours.result(),
            prompt_cache=cached.result(),
            certainty=certain.result(),
            dearest=late and late[0].result(),
            response_cache=late and late[1].result(),
        )

    return answered


def _trend(ask: _Ask, selection: Selection, now: datetime, question: str, by: str) -> tuple[str, list[Row]]:
    """Returns the step and the rows of a question over time. Without a start, the step follows from the days that have calls."""

    def asked(step: str) -> list[Row]:
        return ask(question, step=step, by=by, timezone=selection.timezone).result()

    length = selection.length(now)
    if length is not None:
        step = step_of(length)
        return step, asked(step)
    days = asked("day")
    if not days:
        return "day", days
    step = step_of(datetime.fromisoformat(days[-1]["time"]) - datetime.fromisoformat(days[0]["time"]) + timedelta(days=1))
    return step, days if step == "day" else asked(step)


def step_of(length: timedelta) -> str:
    """Returns the step of a plot over a range of this length."""
    return next((step for step, limit in _STEPS if length <= limit), "month")


def _totals(rows: Sequence[Row]) -> Totals:
    counted: dict[str, Any] = {name: _sum(row[name] for row in rows) for name in _COUNTED}
    calls = {name: sum(row[name] for row in rows) for name in _CALLS}
    return Totals(**counted, **calls, costs={row["currency"]: row["cost"] for row in rows if row["cost"] is not None})


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
