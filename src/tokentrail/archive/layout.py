"""Which tables an archive holds, in which files, and what their columns become in Parquet.

Parquet has no states of aggregate functions: a bitmap of numbers becomes a list of numbers (of a writer with many numbers several rows, each with the
numbers of one million), any other state its bytes in hexadecimal. All else is written as ClickHouse writes it.

The order of the tables is that of writing: what was heard of writers and keys comes before the rows that must be there for it, so that an archive
that is written while records arrive is never short of a row. What was removed on purpose comes last for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.ledger.places import KEPT_SUMS, tables

__all__ = ["FOR_A_TIME", "LEFT_OUT", "SUMMED", "TABLES", "Columns", "Part", "columns_of"]

_NUMBERS: Final = 1_000_000
"""So many numbers of a writer are in one row at most."""
_EACH: Final = {"seq_checks": 1024, "checks": 4096}
"""How far apart the values of a bitmap lie that belong to neighbouring numbers: 1 where none is named."""
SUMMED: Final = ("calls", "input_tokens", "output_tokens")
"""The columns of the ledger whose sums the manifest states."""


_EXPIRES: Final = "arrives, and expires by a TTL: what counts of it is in the ledger"
_LOADED: Final = "is loaded from files and public lists, which each database has of its own"
_OF_THE_DATABASE: Final = "tells of the database itself, and of who was told"


@dataclass(frozen=True, slots=True)
class Part:
    """A table of an archive. `month` is the expression by which it is divided into files; empty for one file. `only` leaves rows out.

    `keyed`: by what the rows of a table are known that does not count copies once.
    """

    table: str
    month: str = ""
    only: str = ""
    keyed: str = ""

    @property
    def divided(self) -> str:
        """An expression that is the month of a row; where there is one file, 0 for the rows that are in it."""
        return self.month or (f"if({self.only}, 0, 1)" if self.only else "0")


TABLES: Final = (
    Part("deliveries"),
    Part("key_conflicts", month="toYYYYMM(key_ts)"),
    Part("usage_jobs"),
    Part("bridge_spans"),
    Part("quarantine_times"),
    Part("quarantine", month="toYYYYMM(arrived_at)"),
    Part("usage_ledger", month="toYYYYMM(key_ts)"),
    Part("removed_calls"),
    Part("removals", keyed="(cause, tenant, version)"),
    Part("usage_days", only=f"build >= {KEPT_SUMS}", keyed="(day, tenant_id)"),
    Part("findings", keyed="(id, version, row_id)"),
)

LEFT_OUT: Final[Mapping[str, str]] = {
    "alert_checks": _OF_THE_DATABASE,
    "alerts": _OF_THE_DATABASE,
    "budgets": _LOADED,
    "exchange_rates": _LOADED,
    "migrations": _OF_THE_DATABASE,
    "otel_logs": _EXPIRES,
    "otel_metrics_exponential_histogram": _EXPIRES,
    "otel_metrics_gauge": _EXPIRES,
    "otel_metrics_histogram": _EXPIRES,
    "otel_metrics_sum": _EXPIRES,
    "otel_metrics_summary": _EXPIRES,
    "otel_traces": _EXPIRES,
    "otel_traces_trace_id_ts": _EXPIRES,
    "prices": _LOADED,
    "removing_keys": "is empty but for the time of a removal",
    "retention_rules": "would remove usages of the database that reads the archive",
    "usage_day_builds": "is made anew from the ledger by tokentrail rollup",
    "usage_landing": _EXPIRES,
}
"""The tables that an archive does not hold, and why."""

FOR_A_TIME: Final = frozenset({"removing_keys"})
"""The tables whose rows are of a removal that goes on, and go with it."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: names and types in ClickHouse."""

    types: Mapping[str, str]

    @property
    def states(self) -> bool:
        """Whether a column has to be converted."""
        return any(map(_is_state, self.types.values()))

    @property
    def written(self) -> str:
        """The list of a SELECT that makes plain columns."""
        return ", ".join(self._written(name, kind) for name, kind in self.types.items())

    @property
    def joined(self) -> str:
        """The clause after the table that makes a row for each million of a writer's numbers; empty for a table without bitmaps."""
        bitmaps = ", ".join(
            f"arrayDistinct(arrayMap(one -> intDiv(one, {_span(name)}), arraySort(bitmapToArray(t.{identifier(name)}))))"
            for name, kind in self.types.items()
            if _is_bitmap(kind)
        )
        return f"ARRAY JOIN arrayDistinct(arrayConcat([toUInt64(0)], {bitmaps})) AS million" if bitmaps else ""

    def _written(self, name: str, kind: str) -> str:
        column = identifier(name)
        if _is_bitmap(kind):
            return f"arraySort(bitmapToArray({_part(column, _span(name))})) AS {column}"
        return f"hex(t.{column}) AS {column}" if _is_state(kind) else f"t.{column} AS {column}"

    @property
    def plain(self) -> str:
        """The columns of a table that takes what `written` makes."""
        return ", ".join(f"{identifier(name)} {_plain(kind)}" for name, kind in self.types.items())

    @property
    def read(self) -> str:
        """The list of a SELECT that makes the states anew."""
        return ", ".join(_read(identifier(name), kind) for name, kind in self.types.items())

    @property
    def names(self) -> str:
        """The list of the names."""
        return ", ".join(map(identifier, self.types))


def columns_of(client: Client) -> dict[str, Columns]:
    """Returns the columns of each table that stores rows."""
    return {table.name: Columns(table.columns) for table in tables(client)}


def _span(name: str) -> int:
    return _NUMBERS * _EACH.get(name, 1)


def _part(column: str, span: int) -> str:
    """The bitmap of a million: of the last one, which has no end within 64 bits, all from its beginning."""
    begin = f"toUInt64(million * {span})"
    return (
        f"if(million >= {2**64 // span}, bitmapSubsetLimit(t.{column}, {begin}, {span}), bitmapSubsetInRange(t.{column}, {begin}, {begin} + {span}))"
    )


def _is_state(kind: str) -> bool:
    return kind.startswith("AggregateFunction(")


def _is_bitmap(kind: str) -> bool:
    return kind.startswith("AggregateFunction(groupBitmap,")


def _plain(kind: str) -> str:
    if _is_bitmap(kind):
        return "Array(UInt64)"
    if _is_state(kind):
        return "String"
    return kind.partition(", ")[2].removesuffix(")") if kind.startswith("SimpleAggregateFunction(") else kind


def _read(column: str, kind: str) -> str:
    if _is_bitmap(kind):
        return f"arrayReduce('groupBitmapState', {column})"
    return f"CAST(unhex({column}), '{kind.replace(chr(39), chr(92) + chr(39))}')" if _is_state(kind) else column
