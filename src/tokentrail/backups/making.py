"""Makes a backup of every table and view of the database, with what the tables held when it began.

ClickHouse writes the file that makes a backup one (`.backup`) last. So a backup whose writing was broken off is found by no RESTORE, and no other
backup takes its place or stands on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tokentrail.backups import totals
from tokentrail.backups.place import Keys, Place
from tokentrail.backups.running import BackupError, Done, Progress, Statement, run_to_its_end
from tokentrail.backups.totals import STATED, UNFINISHED, Stated
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.migrate import cluster_of
from tokentrail.ledger.query import answer

__all__ = ["Backup", "back_up", "refuse_cluster", "there"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is whole: what its tables held, and its files."""

    stated: Stated
    done: Done


def back_up(
    client: Client, place: Place, keys: Keys, *, number: str, base: Place | None = None, bandwidth: int = 0, began: Progress = lambda _what: None
) -> Backup:
    """Makes a backup; `number` is its id. Raises `BackupError` and `ClickHouseError`; then there is none."""
    existing = there(client)
    if "migrations" not in existing:
        raise BackupError(f"database {client.database} has no tables of tokentrail: there is nothing to back up")
    if UNFINISHED in existing:
        raise BackupError(f"database {client.database} is not wholly restored, so it is not backed up: run `tokentrail restore` again first")
    refuse_cluster(client, client.database)
    if STATED in existing and any(status == "CREATING_BACKUP" for _, status in answer(client, "backup_running").rows):
        raise BackupError("another backup is being made on this server now: wait for its end")
    began("counting")
    stated = totals.state(client, number)
    try:
        done = run_to_its_end(client, Statement(f"BACKUP DATABASE {identifier(client.database)} TO", place, keys, base, bandwidth), began=began)
        _refuse_another(client, place, number)
    finally:
        with suppress(ClickHouseError):
            totals.drop(client, STATED)
    return Backup(stated, done)


def there(client: Client) -> Sequence[str]:
    """Returns the names of the tables and views of the database in use."""
    return [str(name) for (name,) in client.query("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name").rows]


def refuse_cluster(client: Client, database: str) -> None:
    """Raises `BackupError` for a database on a cluster, whose nodes have to write into one place."""
    if cluster := cluster_of(client, database):
        raise BackupError(f"database {database} is on cluster {cluster}: use ClickHouse's BACKUP and RESTORE with ON CLUSTER, as docs/sre.md shows")


def _refuse_another(client: Client, place: Place, number: str) -> None:
    """Raises `BackupError` if another run has stated its totals in place of this one's meanwhile."""
    found = totals.stated(client)
    if found is None or found.number != number:
        raise BackupError(f"another `tokentrail backup` ran at the same time, and {place.shown} states the totals of neither: make one anew")
