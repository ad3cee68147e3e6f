"""Restores a database from a backup, compares it with what the backup states, and brings it to this version.

From the first change to the last the database holds the table `restore_unfinished`: a restore that is broken off is seen by it, and is begun anew.
The backup is looked at before anything is dropped: it must be whole, hold this database, and be of this version or a former one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tokentrail.backups import totals
from tokentrail.backups.emptying import drop_all, holding_rows, refuse_what_has_arrived
from tokentrail.backups.making import there
from tokentrail.backups.place import Keys, Place
from tokentrail.backups.running import BackupError, Done, Progress, Statement, run_to_its_end
from tokentrail.backups.totals import LOOKED_AT, STATED, UNFINISHED, Compared
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.literals import identifier, text_literal
from tokentrail.clickhouse.migrate import lost_tables, lost_tables_sentence, migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import Applied, MigrationError, Step, applied_to, bridge_steps, refuse_another_history, steps
from tokentrail.ledger.query import answer, run

__all__ = ["Restored", "restore"]

_ALL: Final = "1970-01-01 01:00:00.000"


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored database: its files, the comparison with what the backup states (None if it states nothing), and the steps that were run."""

    done: Done
    began_at: str
    """When the backup began; empty if it does not state that."""
    compared: Sequence[Compared] | None
    steps: Sequence[Step]
    again: bool
    """Whether a restore that was broken off was begun anew."""

    @property
    def good(self) -> bool:
        """Whether nothing is missing of what the backup states."""
        return all(each.good for each in self.compared or ())


def restore(
    client: Client, place: Place, keys: Keys, *, backed_up: str, into: str, bandwidth: int = 0, began: Progress = lambda _what: None
) -> Restored:
    """Restores the database `backed_up` of a backup under the name `into`, and leaves it in use. Raises `BackupError` and `ClickHouseError`."""
    made, again = _take(client, into)
    began("looking at the backup")
    _look(client, Statement(f"RESTORE TABLE {identifier(backed_up)}.migrations AS {identifier(into)}.{LOOKED_AT} FROM", place, keys), made=made)
    began("making room")
    drop_all(client, even_full=again)
    whole = f"RESTORE DATABASE {identifier(backed_up)} AS {identifier(into)} FROM"
    done = run_to_its_end(client, Statement(whole, place, keys, bandwidth=bandwidth), began=began)
    began("comparing")
    stated = totals.stated(client)
    compared = None
    if stated:
        ((newer,),) = answer(client, "backup_arrived", {"since": stated.began_at}).rows
        compared = totals.compare(stated, totals.count(client), busy=bool(newer))
    began("migrating")
    target = Target(into)
    run_steps = migrate(client, target)
    if lost := lost_tables(client, target):
        raise BackupError(f"the backup lacks tables: {lost_tables_sentence(lost)}")
    began("reading again what arrived while the backup was made")
    run(client, "backup_read_again", {"since": stated.began_at if stated else _ALL})
    totals.drop(client, STATED)
    totals.drop(client, UNFINISHED)
    return Restored(done, stated.began_at if stated else "", compared, run_steps, again)


def _take(client: Client, database: str) -> tuple[bool, bool]:
    """Leaves a database in use that a restore may fill. Returns whether it was made, and whether a former restore of it was broken off."""
    known = client.query("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}).rows
    if not known:
        client.command(f"CREATE DATABASE {identifier(database)} ENGINE = Atomic")
    client.use(database)
    asked = "SELECT comment, toString(toDateTime64(metadata_modification_time, 3, 'UTC')) FROM system.tables WHERE database = currentDatabase()"
    marks = client.query(f"{asked} AND name = {{name:String}}", {"name": UNFINISHED}).rows
    if not marks:
        if full := holding_rows(client):
            names = ", ".join(full[:3]) + (" …" if len(full) > 3 else "")  # noqa: PLR2004 - a sentence
            raise BackupError(
                f"database {database} holds rows ({names}), and a restore would mix with them: give --into another database, or drop this one"
            )
        return not known, False
    running = [name for name, status in answer(client, "backup_running").rows if status == "RESTORING" and str(name).startswith(str(marks[0][0]))]
    if running:
        raise BackupError(f"a restore into database {database} still goes on in the server, from {running[0]}: wait for its end, then run this again")
    refuse_what_has_arrived(client, str(marks[0][1]))
    return False, True


def _look(client: Client, looking: Statement, *, made: bool) -> None:
    """Restores the list of migrations alone, which is the mark from now on. Raises `BackupError`; then the database is as it was."""
    database, place = client.database, looking.place
    try:
        totals.drop(client, LOOKED_AT)
        run_to_its_end(client, looking, began=lambda _what: None)
        applied = applied_to(client, database, LOOKED_AT)
        _refuse_foreign(applied, Target(database), place)
        client.command(f"ALTER TABLE {LOOKED_AT} MODIFY COMMENT {text_literal(place.beginning)}")
        marked = UNFINISHED in there(client)
        client.command(f"EXCHANGE TABLES {LOOKED_AT} AND {UNFINISHED}" if marked else f"RENAME TABLE {LOOKED_AT} TO {UNFINISHED}")
    except BaseException:
        with suppress(ClickHouseError):
            totals.drop(client, LOOKED_AT)
            if made:
                client.use("default")
                client.command(f"DROP DATABASE IF EXISTS {identifier(database)} SYNC")
        raise
    totals.drop(client, LOOKED_AT)


def _refuse_foreign(applied: dict[str, Applied], target: Target, place: Place) -> None:
    """Raises `BackupError` for a backup of a cluster, or of another version that this one does not know."""
    if cluster := max((each.cluster for each in applied.values()), default=""):
        raise BackupError(f"{place.shown} is of cluster {cluster}: use ClickHouse's RESTORE with ON CLUSTER, as docs/sre.md shows")
    try:
        refuse_another_history(applied, [*steps(target), *bridge_steps(target)], target)
    except MigrationError as error:
        raise BackupError(f"{place.shown} cannot be restored by this version: {error}") from None
