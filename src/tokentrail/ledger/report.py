"""Sums tokens and calls of the view `usage`, by any of its dimensions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, read

__all__ = ["COSTS", "DIMENSIONS", "MEASURES", "UnknownDimensionError", "report"]

DIMENSIONS: Final = (
    "provider",
    "model",
    "tenant_id",
    "operation",
    "token_type",
    "source",
    "ended",
    "day",
    "hour",
    "month",
    "endpoint",
    "environment",
    "error_type",
    "input_source",
    "instrumentation",
    "key_kind",
    "model_family",
    "operation_id",
    "operation_name",
    "origin",
    "output_source",
    "request_model",
    "response_model",
    "service_name",
    "stream",
    "tokenizer",
    "writer_id",
)
COSTS: Final = ("cost", "partly_calls", "unpriced_calls", "uncounted_calls")
"""The further measures of a report with costs: the cost, and the calls of which it says less than all."""
MEASURES: Final = tuple(column.name for column in read("report").columns)

_MONEY: Final = ", {cost} AS cost" + "".join(f", sumIf(u.calls, u.cost_state = '{name.removesuffix('_calls')}') AS {name}" for name in COSTS[1:])
_NO_RATE: Final = "a price has no rate of exchange at the time of a call: tokentrail query currencies names it"
_RATED: Final = f"if(throwIf(max(u.has_no_rate), '{_NO_RATE}') = 0, sum(u.cost), NULL)"
_TIMES: Final = ("month", "day", "hour")


class UnknownDimensionError(ValueError):
    """A dimension that the view does not have. The sentence lists the view's dimensions."""


def report(
    client: Client,
    by: Sequence[str],
    *,
    start: str | None = None,
    end: str | None = None,
    tenants: Sequence[str] = (),
    cost: bool = False,
    currency: str = "",
) -> list[dict[str, Any]]:
    """Returns one row per combination of `by`, with `MEASURES`; a measure that no record states is `None`.

    With `cost` a row per currency too (`currency`, after the dimensions; empty: calls without a price), and `COSTS` after the measures.
    With `currency` all costs are in this one, by the rate of exchange at the time of each call. Raises `ClickHouseError` where there is no rate.

    `start` (included) and `end` (excluded) are UTC times as `times.parse_time` returns them, None for no bound; no `tenants` means all.
    Rows are sorted by time if `by` has a time, then by tokens, descending.
    """
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown:
        raise UnknownDimensionError(f"no dimension {unknown[0]!r}: use some of {', '.join(DIMENSIONS)}")
    columns = [*dict.fromkeys(by), *(("currency",) if cost else ())]
    order = [name for name in _TIMES if name in columns] + ["ifNull(input_tokens, 0) + ifNull(output_tokens, 0) DESC"] + columns
    slots = {
        "relation": _converted(currency) if currency else "usage_cost" if cost else "usage",
        "money": _MONEY.format(cost=_RATED if currency else "sum(u.cost)") if cost else "",
        "dimensions": "".join(f"{name}, " for name in columns),
        "grouping": f"GROUP BY {', '.join(columns)}" if columns else "",
        "order": f"ORDER BY {', '.join(order)}" if columns else "",
    }
    given = {"from": start, "to": end, "tenants": list(tenants)}
    return answer(client, "report", {name: value for name, value in given.items() if value is not None}, slots).dicts()


def _converted(currency: str) -> str:
    """Returns the rows of `usage_cost` in one currency. Raises `ValueError` for what is no currency."""
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError(f"currency is {currency!r}: write three letters, such as USD")
    return f"(WITH costs AS (SELECT *, '{currency}' AS wanted FROM usage_cost) {read('converted').sql})"
