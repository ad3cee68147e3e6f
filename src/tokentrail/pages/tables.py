"""Answers as tables: columns with their kinds, as many rows as a page bears, and the rest as one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from tokentrail.money import total
from tokentrail.pages.facts import Facts, Parts, Row, Totals
from tokentrail.pages.plots import Timeline
from tokentrail.wording import counted

__all__ = ["Column", "Table", "breakdown", "calls", "certainty", "dearest", "prompt_cache", "response_cache", "timeline"]

Kind = Literal["name", "text", "count", "share", "bar", "money", "time", "milliseconds", "estimate"]
MOST_ROWS: Final = 12
MOST_STEPS: Final = 200
_HEADINGS: Final = {"provider": "provider", "model": "model", "tenant_id": "tenant", "operation": "operation"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: how its values are written, and its heading."""

    kind: Kind
    heading: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the caption says what the table shows, the first column names each row."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    filter: str = ""
    """The questions' parameter that the first column is a value of; empty for none."""
    rest: str = ""
    """What the last row sums, where it is not one name."""


def breakdown(facts: Facts, parts: Parts, dimension: str) -> Table:
    """Tokens, calls and costs by one dimension."""
    currencies = sorted(facts.totals.costs) if facts.priced else []
    whole = facts.totals.tokens

    def written(name: str, of: Sequence[Totals]) -> tuple[Any, ...]:
        tokens = sum(each.tokens for each in of)
        paid = [_sum(each.costs.get(currency) for each in of) for currency in currencies]
        return (name, tokens / whole if whole else None, tokens, *paid, sum(each.calls for each in of), sum(each.error_calls for each in of))

    names = list(parts.by[dimension].items())
    shown, hidden = (names, []) if len(names) <= MOST_ROWS + 1 else (names[:MOST_ROWS], names[MOST_ROWS:])
    rows = [written(name, [totals]) for name, totals in shown]
    heading = _HEADINGS[dimension]
    rest = f"{len(hidden):,} further {heading}s" if hidden else ""
    if hidden:
        rows.append(written(rest, [totals for _, totals in hidden]))
    money = [Column("money", f"cost, {currency}" if currency else "cost") for currency in currencies]
    columns = (
        Column("name", heading),
        Column("bar", "share"),
        Column("count", "tokens"),
        *money,
        Column("count", "calls"),
        Column("count", "failed"),
    )
    parameter = {"tenant_id": "tenants"}.get(dimension, f"{dimension}s")
    return Table(f"by-{heading}", f"Tokens by {heading}", columns, tuple(rows), parameter, rest)


def timeline(name: str, caption: str, shown: Timeline, kind: Kind = "count") -> Table:
    """The numbers of a plot."""
    columns = (Column("text", shown.step), *(Column(kind, series.name) for series in shown.series))
    values = zip(shown.labels, *(series.values for series in shown.series), strict=True)
    return Table(name, caption, columns, tuple(values)[-MOST_STEPS:])


def certainty(rows: Sequence[Row]) -> Table:
    """How sure the counts are, by provider and model."""
    columns = _names("provider", "model") | {
        "calls": Column("count", "calls"),
        "reported_calls": Column("count", "reported"),
        "estimated_calls": Column("count", "estimated"),
        "unknown_calls": Column("count", "unknown"),
        "estimated_tokens": Column("count", "estimated tokens"),
        "estimated_share": Column("share", "share of its tokens"),
    }
    return _of_rows("certainty", "How sure the counts are, by provider and model", columns, rows)


def prompt_cache(rows: Sequence[Row]) -> Table:
    """What the providers' caches have served."""
    columns = _names("provider", "model") | {
        "calls": Column("count", "calls that state it"),
        "input_tokens": Column("count", "their input tokens"),
        "cache_read_tokens": Column("count", "read from the cache"),
        "cache_read_share": Column("share", "share"),
        "cache_write_tokens": Column("count", "written to it"),
    }
    return _of_rows("prompt-cache", "Input that the providers' caches have served", columns, rows)


def response_cache(rows: Sequence[Row]) -> Table:
    """What a cache of responses would have saved."""
    columns = _names("tenant_id", "operation", "model") | {
        "calls": Column("count", "calls"),
        "repeated_calls": Column("count", "repeated"),
        "repeated_share": Column("share", "share"),
        "saved_input_tokens": Column("count", "input tokens"),
        "saved_output_tokens": Column("count", "output tokens"),
    }
    return _of_rows("response-cache", "What a cache of responses would have saved", columns, rows)


def dearest(rows: Sequence[Row]) -> Table:
    """The dearest operations."""
    priced = any(row["currency"] for row in rows)
    columns = {
        "operation_id": Column("name", "operation id"),
        **_names("operation", "tenant_id"),
        **({"cost": Column("money", "cost"), "currency": Column("text", "currency")} if priced else {}),
        "tokens": Column("count", "tokens"),
        "calls": Column("count", "calls"),
        "error_calls": Column("count", "failed"),
        "latest": Column("time", "latest call, UTC"),
    }
    return _of_rows("dearest", "The dearest operations", columns, rows, most=len(rows))


def calls(rows: Sequence[Row]) -> Table:
    """The latest calls."""
    columns = {
        "ts": Column("time", "started, UTC"),
        **_names("tenant_id", "operation"),
        "service_name": Column("name", "service"),
        **_names("provider", "model"),
        "input_tokens": Column("count", "input"),
        "output_tokens": Column("count", "output"),
        "source": Column("text", "counts"),
        "ended": Column("text", "ended"),
        "error_type": Column("text", "error"),
        "duration_ms": Column("milliseconds", "ms"),
    }
    return _of_rows("latest", "The latest calls", columns, rows, most=len(rows))


def _names(*dimensions: str) -> dict[str, Column]:
    """Returns columns of names, with the headings that the dimensions have on the whole page."""
    return {dimension: Column("name", _HEADINGS[dimension]) for dimension in dimensions}


def _of_rows(name: str, caption: str, columns: Mapping[str, Column], rows: Sequence[Row], *, most: int = MOST_ROWS) -> Table:
    shown = tuple(tuple(row[column] for column in columns) for row in rows[:most])
    more = f"{caption}; {counted(len(rows) - most, 'further row')} in the command line's answer" if len(rows) > most else caption
    return Table(name, more, tuple(columns.values()), shown)


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return total(known) if known else None
