"""Bring a database to the state that this version of tokentrail needs, and say what was done.

`migrations/NNNN_name.sql` are history: each is run once, in order, and never changes afterwards; a file whose rendered text differs from what
was run is refused. `definitions/*.sql` are views, which hold no data: each is put in place again whenever its rendered text has changed.
Every statement may be run twice, so a migration that was cut short is run again from its beginning, and two that run at once do no harm.
What was made and is not there any more (somebody dropped it) is put back where it holds no data; a table that held some is only named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import tokentrail
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client, identifier
from tokentrail.clickhouse.objects import Made, made_by
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["Kind", "MigrationError", "Step", "cluster_of", "is_lost", "lost_tables", "migrate", "plan", "steps"]


class MigrationError(ClickHouseError):
    """The database's history and this package's do not fit together. One sentence."""


class Kind(str, Enum):
    """What a step is: a file of history, a definition of today, or something that was dropped."""

    MIGRATION = "migration"
    DEFINITION = "definition"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Step:
    """A file that is to be run, with its rendered text; or a table or view that is to be put back, with the statements that make it."""

    kind: Kind
    name: str
    text: str

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the rendered text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def statements(self) -> list[str]:
        """The statements to run, in order."""
        return sqlfiles.statements(self.text)


def steps(target: Target) -> list[Step]:
    """Every file of this package, rendered, in the order of running."""
    folders = ((Kind.MIGRATION, "migrations"), (Kind.DEFINITION, "definitions"))
    return [
        Step(kind, name, sqlfiles.render(sqlfiles.read(folder, name), target))
        for kind, folder in folders
        for name in sqlfiles.names(folder)
        if kind is Kind.DEFINITION or name[:4].isdigit()
    ]


def plan(client: Client, target: Target, *, empty_tables: bool = False) -> list[Step]:
    """What is still to be run in `target.database`; reads only. Raises `MigrationError` where history does not fit.

    What was dropped comes first. `empty_tables`: tables that held data too.
    """
    applied = _applied(client, target.database)
    known = steps(target)
    newer = sorted(applied.keys() - {step.name for step in known})
    if newer:
        raise MigrationError(f"database {target.database} was migrated by a newer tokentrail ({newer[-1]} is not known here): upgrade this one")
    clusters = {cluster for _, cluster in applied.values()}
    if clusters - {target.cluster}:
        was = f"with --cluster {min(clusters)}" if any(clusters) else "without --cluster"
        raise MigrationError(f"database {target.database} was migrated {was}: say the same again, tables do not move by themselves")
    for step in known:
        if step.kind is Kind.MIGRATION and step.name in applied and applied[step.name][0] != step.checksum:
            raise MigrationError(
                f"migration {step.name} is not the text that was applied to database {target.database}: history is never edited, "
                "put the old text back and write a new migration"
            )
    dropped = _dropped(client, target)
    lost = [] if empty_tables else [each.name for each in dropped if each.holds_data]
    put_back = [
        Step(Kind.DROPPED, each.name, ";\n\n".join(each.statements))
        for each in dropped
        if each.name not in lost and not each.needs(lost)  # what reads a lost table is made when that is there again
    ]
    return put_back + [step for step in known if step.name not in applied or applied[step.name][0] != step.checksum]


def lost_tables(client: Client, target: Target) -> list[str]:
    """Tables that held data and are not there any more; reads only."""
    return [each.name for each in _dropped(client, target) if each.holds_data]


def is_lost(tables: list[str]) -> str:
    """The sentence about lost tables: what happened, and what to do."""
    names, undrop = ", ".join(tables), "; ".join(f"UNDROP TABLE {name}" for name in tables)
    many = len(tables) > 1
    return (
        f"{'tables' if many else 'table'} {names} {'are' if many else 'is'} not there any more, with all that {'they' if many else 'it'} held: "
        f"bring {'them' if many else 'it'} back (`{undrop}` within minutes of the drop, or a backup), "
        f"or let `tokentrail migrate --empty-tables` make {'them' if many else 'it'} anew, empty"
    )


def cluster_of(client: Client, database: str) -> str:
    """The cluster that a database was migrated for; empty for a single server, and where nothing was applied."""
    return max((cluster for _, cluster in _applied(client, database).values()), default="")


def _dropped(client: Client, target: Target) -> list[Made]:
    """What the steps that were applied have made, and is not there; on a cluster, on the node that is asked."""
    applied = _applied(client, target.database)
    made = made_by(statement for step in steps(target) if step.name in applied for statement in step.statements)
    there = client.query("SELECT name FROM system.tables WHERE database = {database:String}", {"database": target.database}).rows if made else []
    return [each for each in made.values() if (each.name,) not in there]


def migrate(client: Client, target: Target, *, empty_tables: bool = False) -> list[Step]:
    """Make the database if there is none, run what is to be run, and return it. Leaves `target.database` in use."""
    pending = plan(client, target, empty_tables=empty_tables)
    if pending:
        on_cluster = f" ON CLUSTER '{target.cluster}'" if target.cluster else ""
        client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(target.database)}{on_cluster} ENGINE = Atomic")
        client.use(target.database)
        for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), target)):
            client.command(statement)
    dropped = [step for step in pending if step.kind is Kind.DROPPED]
    for step in dropped:
        _run(client, step, step.statements[:1])
    for step in dropped:  # only now: a landing table takes no record before all that reads it is there
        _run(client, step, step.statements[1:])
    for step in pending[len(dropped) :]:
        _run(client, step, step.statements)
        _note(client, step, target)
    client.use(target.database)
    return pending


def _run(client: Client, step: Step, statements: Iterable[str]) -> None:
    for statement in statements:
        try:
            client.command(statement)
        except ClickHouseError as error:
            what = f"{step.kind.value} {step.name} stopped at «{' '.join(statement.split())[:60]}…»"
            raise MigrationError(f"{what}: {error}", error.code) from error


def _note(client: Client, step: Step, target: Target) -> None:
    """Write down that a file was run."""
    client.insert_json(
        "migrations",
        [{"name": step.name, "checksum": step.checksum, "cluster": target.cluster, "package": getattr(tokentrail, "__version__", "")}],
    )


def _applied(client: Client, database: str) -> dict[str, tuple[str, str]]:
    """Checksum and cluster of what was last applied under each name."""
    exists = client.query(
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'migrations'",
        {"database": database},
    ).rows
    if not exists:
        return {}
    # two that were applied in one millisecond: the same one each time this is asked
    latest = "SELECT name, argMax((checksum, cluster), (applied_at, checksum, cluster))"
    return {
        name: (checksum, cluster) for name, (checksum, cluster) in client.query(f"{latest} FROM {identifier(database)}.migrations GROUP BY name").rows
    }
