"""Makes room for a restore: tables and views of a database that holds no rows are dropped, since the backup has its own.

A table is dropped only while it is empty, the landing table first: so no record that arrives meanwhile is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail.backups.running import BackupError
from tokentrail.backups.totals import OWN, UNFINISHED
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import answer
from tokentrail.wording import counted

__all__ = ["drop_all", "holding_rows", "refuse_what_has_arrived"]

_NOT_EMPTY: Final = 705
_LANDING: Final = "usage_landing"
_HISTORY: Final = "migrations"


@dataclass(frozen=True, slots=True)
class _Existing:
    name: str
    is_view: bool
    rows: int


def holding_rows(client: Client) -> list[str]:
    """Returns the tables that hold rows, but for the list of migrations and the tables of a backup."""
    return [each.name for each in _existing(client) if each.rows and each.name not in (_HISTORY, *OWN)]


def refuse_what_has_arrived(client: Client, since: str) -> None:
    """Raises `BackupError` if records have arrived in a database since its restore was broken off."""
    if all(each.name != _LANDING for each in _existing(client)):
        return
    ((records,),) = answer(client, "backup_arrived", {"since": since}).rows
    if records:
        raise BackupError(
            f"a restore into database {client.database} was broken off, and {counted(records, 'record')} arrived since, "
            "which another one would remove: restore with --into another database, and read the arrivals into it (docs/sre.md, Restore)"
        )


def drop_all(client: Client, *, even_full: bool) -> None:
    """Drops all tables and views but the mark of a restore. Raises `BackupError` for rows that came meanwhile, unless `even_full`."""
    existing = sorted(_existing(client), key=lambda each: (each.is_view, each.name != _LANDING, each.name))
    for each in existing:
        if each.name != UNFINISHED:
            _drop(client, each, even_full=even_full or each.name in (_HISTORY, *OWN))


def _drop(client: Client, each: _Existing, *, even_full: bool) -> None:
    if each.is_view:
        client.command(f"DROP VIEW IF EXISTS {identifier(each.name)} SYNC")
        return
    unless_full, size = ("", " SETTINGS max_table_size_to_drop = 0") if even_full else (" IF EMPTY", "")
    try:
        client.command(f"DROP TABLE IF EXISTS{unless_full} {identifier(each.name)} SYNC{size}")
    except ClickHouseError as error:
        if error.code != _NOT_EMPTY:
            raise
        database = client.database
        migrate(client, Target(database), empty_tables=True)  # only empty ones were dropped
        raise BackupError(
            f"rows have arrived in table {each.name} of database {database} just now: stop what writes there, or restore --into another one"
        ) from None


def _existing(client: Client) -> Sequence[_Existing]:
    asked = "SELECT name, engine LIKE '%View', toUInt64(ifNull(total_rows, 0)) FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    return [_Existing(name, bool(is_view), int(rows)) for name, is_view, rows in client.query(asked).rows]
