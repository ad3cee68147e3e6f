"""Sums tokens and calls of the view `usage`, by any of its dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tokentrail.clickhouse.client import Client, Result
from tokentrail.clickhouse.lists import BY_DAY
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.dimensions import DIMENSIONS, METADATA, TIMES, UnknownDimensionError, column, expression
from tokentrail.ledger.query import answer, read

__all__ = ["COSTS", "DIMENSIONS", "MEASURES", "Kept", "UnknownDimensionError", "ask", "days_from_sums", "kept", "relation", "report"]

COSTS: Final = ("cost", "partly_calls", "unpriced_calls", "uncounted_calls")
"""The further measures of a report with costs: the cost, and the calls of which it says less than all."""
MEASURES: Final = tuple(column.name for column in read("report").columns)
_WHOLE_DAYS: Final = ("month", "week", "day", "currency")

_MONEY: Final = ", {cost} AS cost" + "".join(f", sumIf(u.calls, u.cost_state = '{name.removesuffix('_calls')}') AS {name}" for name in COSTS[1:])
_NO_RATE: Final = "a price has no rate of exchange at the time of a call: tokentrail query currencies names it"
_RATED: Final = f"if(throwIf(max(u.has_no_rate), '{_NO_RATE}') = 0, sum(u.cost), NULL)"


def report(
    client: Client,
    by: Sequence[str],
    *,
    start: str | None = None,
    end: str | None = None,
    tenants: Sequence[str] = (),
    cost: bool = False,
    filters: Mapping[str, Parameter] | None = None,
    timezone: str = "UTC",
    currency: str = "",
) -> list[dict[str, Any]]:
    """Returns one row per combination of `by`, with `MEASURES`; a measure that no record states is `None`.

    With `cost` a row per currency too (`currency`, after the dimensions; empty: calls without a price), and `COSTS` after the measures.
    With `currency` all costs are in this one, by the rate of exchange at the time of each call. Raises `ClickHouseError` where there is no rate.

    `start` (included) and `end` (excluded) are UTC times as `times.parse_time` returns them, None for no bound; no `tenants` means all. `filters` are
    further parameters of the query `filters`; `timezone` is the zone of hours, days, weeks and months.
    Rows are sorted by time if `by` has a time, then by tokens, descending.
    """
    given = {"from": start, "to": end, "tenants": list(tenants) or None, "timezone": timezone}
    return ask(
        client, by, {**(filters or {}), **{name: value for name, value in given.items() if value is not None}}, cost=cost, currency=currency
    ).dicts()


def ask(client: Client, by: Sequence[str], parameters: Mapping[str, Parameter], *, cost: bool = False, currency: str = "") -> Result:
    """Returns the same with parameters of the query `report`, and the columns' types."""
    names = [*dict.fromkeys(map(column, by)), *(("currency",) if cost or currency else ())]
    aliases = [f"metadata_{at}" if name.startswith(METADATA) else name for at, name in enumerate(names)]
    order = [name for name in TIMES if name in names] + ["ifNull(input_tokens, 0) + ifNull(output_tokens, 0) DESC"] + aliases
    slots = {
        "relation": _converted(currency) if currency else relation(client, names, parameters, cost=cost),
        "money": _MONEY.format(cost=_RATED if currency else "sum(u.cost)") if cost or currency else "",
        "dimensions": "".join(
            f"{expression(name)} AS {alias}, " if alias != name else f"{name}, " for name, alias in zip(names, aliases, strict=True)
        ),
        "grouping": f"GROUP BY {', '.join(aliases)}" if names else "",
        "order": f"ORDER BY {', '.join(order)}" if names else "",
    }
    query = read("report")
    found = client.query(query.filled(slots), {**read("selected_costs_by_day").given(), **query.given(parameters)})
    return Result((*names, *found.columns[len(names) :]), found.rows, found.types)


def days_from_sums(client: Client, by: Sequence[str], parameters: Mapping[str, Parameter], *, cost: bool = False) -> int:
    """Returns how many days of a report are read from their sums by day; the others, and days in part, are read from the ledger."""
    if not _sums_suffice(by, parameters):
        return 0
    return sum(1 for _, _, is_priced in answer(client, "days_with_sums", _bounds(parameters)).rows if is_priced or not cost)


@dataclass(frozen=True, slots=True)
class Kept:
    """The calls of a range whose usages retention has removed, and whose sums by day it keeps."""

    calls: int
    first: date
    last: date
    counted: bool
    """Whether the report has them: a report of hours, single operations, another zone or one currency has single usages alone."""


def kept(client: Client, by: Sequence[str], parameters: Mapping[str, Parameter], *, currency: str = "") -> Kept | None:
    """Returns what a report is told of by kept sums alone; None if there is nothing of the kind in its range."""
    suffice = not currency and _sums_suffice([*map(column, by)], parameters)
    asked = {name: value for name, value in parameters.items() if name != "timezone" and (suffice or name != "where")}
    ((calls, first, last),) = answer(client, "kept_calls", asked).rows
    return Kept(int(calls), first, last, suffice) if calls else None


def _sums_suffice(names: Sequence[str], parameters: Mapping[str, Parameter]) -> bool:
    """Whether the sums by day have all that a report shows, and all that it is filtered by."""
    where = parameters.get("where") or ()
    filtered = isinstance(where, (list, tuple)) and all(str(each).partition("=")[0] in BY_DAY for each in where)
    return filtered and parameters.get("timezone", "UTC") == "UTC" and set(names) <= {*BY_DAY, *_WHOLE_DAYS}


def _bounds(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    return {name: parameters[name] for name in ("from", "to") if name in parameters}


def relation(client: Client, names: Sequence[str], parameters: Mapping[str, Parameter], *, cost: bool) -> str:
    """Returns what a report reads: the view; where the sums by day have all that it shows, these too; these alone where the range has nothing else.

    To plan a question about the ledger takes the engine longer than to add up a month of sums.
    """
    if not _sums_suffice(names, parameters):
        return "usage_cost" if cost else "usage"
    days = answer(client, "days_with_sums", _bounds(parameters)).rows
    if days and (not cost or all(is_priced for _, _, is_priced in days)):
        listed = {"days": ", ".join(f"'{day}'" for day, _, _ in days)}
        ((others,),) = answer(client, "rows_without_sums", _bounds(parameters), listed).rows
        if not others:
            builds = ", ".join(f"('{day}', {int(build)})" for day, build, _ in days)
            unsummed = "'' AS operation_id, '' AS writer_id, '' AS metadata"
            return f"(SELECT * EXCEPT (day, build), toDateTime64(day, 9, 'UTC') AS ts, {unsummed} FROM usage_builds WHERE (day, build) IN ({builds}))"
    return f"(WITH true AS sums_will_do {read('selected_costs_by_day' if cost else 'selected_by_day').sql})"


def _converted(currency: str) -> str:
    """Returns the rows of `usage_cost` in one currency. Raises `ValueError` for what is no currency."""
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError(f"currency is {currency!r}: write three letters, such as USD")
    return f"(WITH costs AS (SELECT *, '{currency}' AS wanted FROM usage_cost) {read('converted').sql})"
