"""What the tables of a database held when a backup began: stated in a table that the backup holds too, and compared with what was restored.

Records that arrive while a backup is made may stand in it or not: a restored table has as many rows as were stated, or more, and a record may have
taken the place of another one with other tokens. Rows with a TTL, sums by day that are built anew and the keys of a removal go by
themselves; fewer of them are no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import tokentrail
from tokentrail.archive.layout import FOR_A_TIME, TABLES
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.ledger.places import tables
from tokentrail.ledger.query import answer

__all__ = ["LOOKED_AT", "OWN", "STATED", "UNFINISHED", "Compared", "Stated", "Totals", "compare", "count", "drop", "state", "stated"]

STATED: Final = "backup_totals"
"""The table of the totals: in a database while a backup is made, and in the backup."""
UNFINISHED: Final = "restore_unfinished"
"""The table that marks a database as not wholly restored."""
LOOKED_AT: Final = "restore_looks_at"
"""The list of migrations of a backup, before anything is changed."""
OWN: Final = (STATED, UNFINISHED, LOOKED_AT)
_ONLY: Final = {part.table: part.only for part in TABLES if part.only}
_TOKENS: Final = ("input_tokens", "output_tokens")
_COLLAPSING: Final = ("Replacing", "Aggregating", "Summing", "Collapsing")


@dataclass(frozen=True, slots=True)
class Totals:
    """What a table holds. `passing`: its rows come and go, and only its keys are compared; `checksum`: of the keys; `bytes`: on disk."""

    table: str
    rows: int
    tokens: int | None
    keys: int | None
    checksum: str
    passing: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Stated:
    """The totals that a backup states, with the moment before which all that had arrived is in the backup."""

    number: str
    began_at: str
    totals: Sequence[Totals]


@dataclass(frozen=True, slots=True)
class Compared:
    """A table of a backup, as stated and as restored. `said`: the result in words; `good` unless anything is missing."""

    stated: Totals
    restored: Totals | None
    said: str
    good: bool


def count(client: Client) -> list[Totals]:
    """Counts what each stored table of the database holds; rows that collapse count once."""
    columns = {table.name: table.columns for table in tables(client)}
    found = []
    for table, engine, keys, expires, size in answer(client, "backup_tables").rows:
        if table in OWN or table not in columns:
            continue
        collapses = any(word in engine for word in _COLLAPSING)
        sums = [f"sum(ifNull({name}, 0))" for name in _TOKENS if "Int" in columns[table].get(name, "")]
        only = _ONLY.get(table, "")  # of the other rows nothing is compared
        passing = bool(expires) or bool(only) or table in FOR_A_TIME
        compared = bool(keys) and (not passing or bool(only))
        slots = {
            "table": identifier(table),
            "final": "FINAL" if collapses else "",
            "tokens": f"toInt64({' + '.join(sums)})" if sums and not passing else "NULL",
            "keys": ("count()" if collapses else f"uniqExactIf(({keys}), {only or 1})") if compared else "NULL",
            "checksum": f"sumIf(cityHash64({keys}), {only or 1})" if compared else "''",
        }
        ((rows, tokens, number, checksum),) = answer(client, "backup_totals", None, slots).rows
        found.append(
            Totals(table, int(rows), None if tokens is None else int(tokens), None if number is None else int(number), checksum, passing, size)
        )
    return found


def state(client: Client, number: str) -> Stated:
    """Counts the tables and states it in a table of the database, for the backup that comes; `number` is the backup's id."""
    drop(client, STATED)
    client.command(
        f"CREATE TABLE {STATED} (number String, began_at DateTime64(3, 'UTC'), package String, name String, rows UInt64, tokens Nullable(Int64), "
        "keys Nullable(UInt64), checksum String, passing Bool, bytes UInt64) ENGINE = MergeTree ORDER BY name "
        "COMMENT 'What the tables held when tokentrail backup began'"
    )
    ((began,),) = client.query("SELECT toString(now64(3, 'UTC'))").rows
    totals = count(client)
    common = {"number": number, "began_at": began, "package": tokentrail.__version__}
    client.insert_json(STATED, [common | _row(each) for each in totals])
    return Stated(number, began, totals)


def stated(client: Client) -> Stated | None:
    """Reads the totals that the database states; None if there are none."""
    there = client.query("SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", {"name": STATED}).rows
    if not there:
        return None
    columns = "number, toString(began_at), name, rows, tokens, keys, checksum, passing, bytes"
    rows = client.query(f"SELECT {columns} FROM {STATED} ORDER BY began_at, number, name").rows
    if not rows:
        return None
    number, began = rows[0][:2]
    return Stated(number, began, [_totals(*row[2:]) for row in rows if row[0] == number])


def drop(client: Client, table: str) -> None:
    """Drops a table of these."""
    client.command(f"DROP TABLE IF EXISTS {table} SYNC")


def compare(stated: Stated, restored: Sequence[Totals], *, busy: bool) -> list[Compared]:
    """Compares what a backup states with what was restored from it. `busy`: records arrived while the backup was made."""
    found = {each.table: each for each in restored}
    return [_compared(each, found.get(each.table), busy=busy) for each in stated.totals]


def _compared(before: Totals, after: Totals | None, *, busy: bool) -> Compared:
    if after is None:
        return Compared(before, after, "is not there", good=False)
    counts = [(before.keys or 0, after.keys or 0, "key")]
    if not before.passing:
        counts.insert(0, (before.rows, after.rows, "row"))
    if not busy:
        counts.append((before.tokens or 0, after.tokens or 0, "token"))
    lacking = [f"{was - now:,} {what}{'s' if was - now > 1 else ''} missing" for was, now, what in counts if now < was]
    if lacking:
        return Compared(before, after, ", ".join(lacking), good=False)
    if before.passing and after.rows != before.rows:
        return Compared(before, after, "rows come and go", good=True)
    if after.rows > before.rows:
        return Compared(before, after, f"{after.rows - before.rows:,} more, of the time of the backup", good=True)
    if before.checksum != after.checksum:
        return Compared(before, after, "other keys", good=busy)
    if before.tokens != after.tokens:
        return Compared(before, after, "other tokens, of the time of the backup" if busy else "other tokens", good=busy)
    return Compared(before, after, "the same", good=True)


def _row(each: Totals) -> dict[str, object]:
    return {
        "name": each.table,
        "rows": each.rows,
        "tokens": each.tokens,
        "keys": each.keys,
        "checksum": each.checksum,
        "passing": each.passing,
        "bytes": each.bytes,
    }


def _totals(table: str, rows: int, tokens: int | None, keys: int | None, checksum: str, passing: object, size: int) -> Totals:
    return Totals(table, int(rows), None if tokens is None else int(tokens), None if keys is None else int(keys), checksum, bool(passing), int(size))
