"""Sums tokens and calls of the view `usage`, by any of its dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokentrail.clickhouse.client import Client, Result
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.dimensions import DIMENSIONS, METADATA, TIMES, UnknownDimensionError, column, expression
from tokentrail.ledger.query import answer, read

__all__ = ["COSTS", "DIMENSIONS", "MEASURES", "UnknownDimensionError", "ask", "report"]

COSTS: Final = ("cost", "partly_calls", "unpriced_calls", "uncounted_calls")
"""The further measures of a report with costs: the cost, and the calls of which it says less than all."""
MEASURES: Final = tuple(column.name for column in read("report").columns)

_MONEY: Final = ", sum(u.cost) AS cost" + "".join(f", sumIf(u.calls, u.cost_state = '{name.removesuffix('_calls')}') AS {name}" for name in COSTS[1:])


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
) -> list[dict[str, Any]]:
    """Returns one row per combination of `by`, with `MEASURES`; a measure that no record states is `None`.

    With `cost` a row per currency too (`currency`, after the dimensions; empty: calls without a price), and `COSTS` after the measures.

    `start` (included) and `end` (excluded) are UTC times as `times.parse_time` returns them, None for no bound; no `tenants` means all. `filters` are
    further parameters of the query `filters`; `timezone` is the zone of hours, days, weeks and months.
    Rows are sorted by time if `by` has a time, then by tokens, descending.
    """
    given = {"from": start, "to": end, "tenants": list(tenants) or None, "timezone": timezone}
    return ask(client, by, {**(filters or {}), **{name: value for name, value in given.items() if value is not None}}, cost=cost).dicts()


def ask(client: Client, by: Sequence[str], parameters: Mapping[str, Parameter], *, cost: bool = False) -> Result:
    """Returns the same with parameters of the query `report`, and the columns' types."""
    names = [*dict.fromkeys(map(column, by)), *(("currency",) if cost else ())]
    aliases = [f"metadata_{at}" if name.startswith(METADATA) else name for at, name in enumerate(names)]
    order = [name for name in TIMES if name in names] + ["ifNull(input_tokens, 0) + ifNull(output_tokens, 0) DESC"] + aliases
    slots = {
        "relation": "usage_cost" if cost else "usage",
        "money": _MONEY if cost else "",
        "dimensions": "".join(
            f"{expression(name)} AS {alias}, " if alias != name else f"{name}, " for name, alias in zip(names, aliases, strict=True)
        ),
        "grouping": f"GROUP BY {', '.join(aliases)}" if names else "",
        "order": f"ORDER BY {', '.join(order)}" if names else "",
    }
    found = answer(client, "report", parameters, slots)
    return Result((*names, *found.columns[len(names) :]), found.rows, found.types)
