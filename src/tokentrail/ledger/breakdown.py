"""A report for people and programs: its rows with shares, the change against the period before, an order, and the rest in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.report import COSTS, MEASURES, ask
from tokentrail.money import total
from tokentrail.wording import did_you_mean

__all__ = ["Breakdown", "SortError", "break_down"]

SHARE, BEFORE, CHANGE = "share", "tokens_before", "change"
COST_BEFORE, COST_CHANGE = "cost_before", "cost_change"
_TYPES: Final = {
    SHARE: "Nullable(Float64)",
    CHANGE: "Nullable(Float64)",
    COST_CHANGE: "Nullable(Float64)",
    BEFORE: "Int64",
    COST_BEFORE: "Nullable(Decimal(38, 18))",
}


class SortError(ValueError):
    """An order by something that is no column of the report."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A report. `rest` sums the rows that were left out of `rows`, `total` sums all; both are empty where they do not apply."""

    dimensions: tuple[str, ...]
    measures: tuple[str, ...]
    types: Mapping[str, str]
    rows: list[dict[str, Any]]
    rest: Mapping[str, Any]
    total: Mapping[str, Any]
    left_out: int = 0

    def sorted_by(self, name: str) -> Breakdown:
        """Returns the rows in another order: `NAME`, the largest first (dimensions: the first in the alphabet), or `NAME:asc`, `NAME:desc`.

        Unstated values stand last. Raises `SortError` for a name that is no column.
        """
        name, _, direction = name.partition(":")
        columns = (*self.dimensions, *self.measures, "tokens")
        if name not in columns or direction not in ("", "asc", "desc"):
            raise SortError(f"rows cannot be sorted by {name!r}.{did_you_mean(name, columns)} Use one of {', '.join(columns)}, and :asc or :desc.")
        falls = direction == "desc" or (not direction and name not in self.dimensions)
        stated = [row for row in self.rows if _value(row, name) is not None]
        rows = sorted(stated, key=lambda row: _value(row, name), reverse=falls) + [row for row in self.rows if _value(row, name) is None]
        return replace(self, rows=rows)

    def first(self, most: int) -> Breakdown:
        """Returns the first `most` rows, with the sums of all others in `rest`; all rows for 0."""
        if not most or len(self.rows) <= most:
            return self
        others = self.rows[most:]
        return replace(self, rows=self.rows[:most], rest=_sums(others, self.measures), left_out=len(others))


def break_down(
    client: Client,
    by: Sequence[str],
    parameters: Mapping[str, Parameter],
    *,
    cost: bool = False,
    share: bool = False,
    before: tuple[str, str] | None = None,
    currency: str = "",
) -> Breakdown:
    """Asks for a report: one row per combination of `by` (and currency, with `cost`).

    `share` adds each row's share of all input and output tokens, from 0 to 1. `before` are the bounds of an earlier period, which is asked for by the
    same query; then rows that only the earlier period has are there too.
    """
    found = ask(client, by, parameters, cost=cost, currency=currency)
    measures = [*MEASURES, *(COSTS if cost else ())]
    dimensions = found.columns[: len(found.columns) - len(measures)]
    types = dict(zip(found.columns, found.types, strict=True)) | _TYPES
    rows = found.dicts()
    if before is not None:
        rows = _compared(
            rows, ask(client, by, {**parameters, "from": before[0], "to": before[1]}, cost=cost, currency=currency).dicts(), dimensions, measures
        )
        measures[len(MEASURES) : len(MEASURES)] = [BEFORE, CHANGE]
        measures += [COST_BEFORE, COST_CHANGE] if cost else []
    if share:
        all_tokens = sum(_tokens(row) for row in rows)
        rows = [{**row, SHARE: round(_tokens(row) / all_tokens, 4) if all_tokens else None} for row in rows]
        measures.insert(len(MEASURES), SHARE)
    return Breakdown(dimensions, tuple(measures), types, rows, {}, _sums(rows, measures))


def _tokens(row: Mapping[str, Any]) -> int:
    return (row["input_tokens"] or 0) + (row["output_tokens"] or 0)


def _value(row: Mapping[str, Any], name: str) -> Any:
    return _tokens(row) if name == "tokens" else row[name]


def _compared(rows: list[dict[str, Any]], earlier: list[dict[str, Any]], dimensions: Sequence[str], measures: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the rows with the tokens (and costs) before; a row that only the earlier period has gets 0 calls and no tokens."""

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in dimensions)

    known = {key(row): row for row in earlier}
    now = {key(row) for row in rows}
    gone = [
        {name: row[name] for name in dimensions} | {name: 0 if name.endswith("calls") else None for name in measures}
        for row in earlier
        if key(row) not in now
    ]
    return [_with_change(row, known.get(key(row))) for row in (*rows, *gone)]


def _with_change(row: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    row = {**row, BEFORE: _tokens(before) if before else 0}
    row[CHANGE] = _ratio(_tokens(row), row[BEFORE])
    if "cost" in row:
        row[COST_BEFORE] = before["cost"] if before else None
        row[COST_CHANGE] = _ratio(row["cost"] or Decimal(0), row[COST_BEFORE])
    return row


def _ratio(now: Any, before: Any) -> float | None:
    return None if not before else round(float((now - before) / before), 4)


def _sums(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> dict[str, Any]:
    """Returns the sums of rows; `None` for money in several currencies, and where no row states a number."""
    several = len({row["currency"] for row in rows if row.get("currency") and row["cost"] is not None}) > 1
    sums: dict[str, Any] = {}
    for name in measures:
        stated = [row[name] for row in rows if row[name] is not None]
        money = name in ("cost", COST_BEFORE)
        nothing = 0 if name.endswith("calls") or name == BEFORE else None
        sums[name] = nothing if not stated or (several and money) else total(stated) if money else sum(stated)
    if SHARE in sums and sums[SHARE] is not None:
        sums[SHARE] = round(sums[SHARE], 4)
    if BEFORE in sums:
        sums[CHANGE] = _ratio(_tokens(sums), sums[BEFORE])
    if COST_BEFORE in sums:
        sums[COST_CHANGE] = None if sums["cost"] is None else _ratio(sums["cost"], sums[COST_BEFORE])
    return sums
