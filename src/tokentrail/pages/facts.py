"""The answers of the named questions for one selection. Every number of a page comes from here, and so from `ledger/questions`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import answer, read
from tokentrail.money import total
from tokentrail.pages.selection import FILTERS, Selection

__all__ = ["DIMENSIONS", "Facts", "Now", "Parts", "Row", "Totals", "Wanted", "collect"]

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

    by: dict[str, list[Row]]
    """The answers of `tokens`, by dimension."""
    costs: dict[str, list[Row]]
    """The answers of `cost`, by dimension."""
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
    """Whether the ledger holds a price list: without one, nothing is asked about costs."""
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
    priced = bool(answer(client, "price_lists").rows)
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="tokentrail-page") as pool:

        def ask(name: str, about: Selection = selection, **more: Any) -> Future[list[Row]]:
            return pool.submit(_answered, client, name, about.parameters(**more))

        tokens, costs = ask("tokens", by="provider"), ask("cost", by="provider") if priced else None
        latest = ask("latest_calls", most=LATEST) if wanted in (Wanted.DASHBOARD, Wanted.NOW) else None
        asked_parts = _parts(ask, tokens, costs, timezone=selection.timezone, slow=wanted is Wanted.REPORT) if wanted is not Wanted.NOW else None
        asked_now = None
        if wanted is not Wanted.PARTS:
            earlier = selection.before(now)
            before = None if earlier is None else (ask("tokens", earlier, by="provider"), ask("cost", earlier, by="provider") if priced else None)
            trend_by = "model" if len(tokens.result()) == 1 else "provider"
            step, trend = _trend(ask, selection, now, trend_by)
            asked_now = Now(
                before=None if before is None else _totals(before[0].result(), before[1].result() if before[1] else []),
                step=step,
                trend_by=trend_by,
                trend=trend,
                latest=None if latest is None else latest.result(),
            )
        totals = _totals(tokens.result(), costs.result() if costs else [])
        return Facts(selection, now, totals, priced, asked_now, asked_parts and asked_parts())


def _answered(client: Client, name: str, parameters: Mapping[str, Parameter]) -> list[Row]:
    question = read(name)
    return client.query(question.filled(), question.given(parameters), read_only=True).dicts()


def _parts(ask: _Ask, tokens: Future[list[Row]], costs: Future[list[Row]] | None, *, timezone: str, slow: bool) -> Callable[[], Parts]:
    """Begins to ask the questions about the parts. Returns a function that waits for the answers."""
    late = (ask("dearest_operations", most=DEAREST), ask("response_cache")) if slow else None
    by = {dimension: tokens if dimension == "provider" else ask("tokens", by=dimension) for dimension in DIMENSIONS}
    paid = {} if costs is None else {each: costs if each == "provider" else ask("cost", by=each) for each in DIMENSIONS}
    hours, cached, certain = ask("hours_of_the_week", timezone=timezone), ask("prompt_cache"), ask("certainty")
    return lambda: Parts(
        by={dimension: rows.result() for dimension, rows in by.items()},
        costs={dimension: rows.result() for dimension, rows in paid.items()},
        hours=hours.result(),
        prompt_cache=cached.result(),
        certainty=certain.result(),
        dearest=late and late[0].result(),
        response_cache=late and late[1].result(),
    )


def _trend(ask: _Ask, selection: Selection, now: datetime, by: str) -> tuple[str, list[Row]]:
    """Returns the step and the rows of `tokens_over_time`. Without a start, the step follows from the days that have calls."""

    def asked(step: str) -> list[Row]:
        return ask("tokens_over_time", step=step, by=by, timezone=selection.timezone).result()

    length = selection.length(now)
    if length is not None:
        step = _step(length)
        return step, asked(step)
    days = asked("day")
    if not days:
        return "day", days
    step = _step(datetime.fromisoformat(days[-1]["time"]) - datetime.fromisoformat(days[0]["time"]) + timedelta(days=1))
    return step, days if step == "day" else asked(step)


def _step(length: timedelta) -> str:
    return next((step for step, limit in _STEPS if length <= limit), "month")


def _totals(tokens: Sequence[Row], costs: Sequence[Row]) -> Totals:
    sums: dict[str, Any] = {name: _sum(row[name] for row in tokens) for name in _SUMS}
    for name in ("calls", "error_calls", "estimated_calls", "unknown_calls"):
        sums[name] = sums[name] or 0
    money: dict[str, Decimal] = {}
    for row in costs:
        if row["cost"] is not None:
            money[row["currency"]] = total((money.get(row["currency"], Decimal(0)), row["cost"]))
    return Totals(**sums, costs=money, unpriced_calls=sum(row["unpriced_calls"] for row in costs))


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
