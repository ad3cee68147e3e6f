"""Bring a database to the state that this version of tokentrail needs, and say what was done.

`migrations/NNNN_name.sql` are history: each is run once, in order, and never changes afterwards; a file whose rendered text differs from what
was run is refused. `definitions/*.sql` are views, which hold no data: each is put in place again whenever its rendered text has changed.
Every statement may be run twice, so a migration that was cut short is run again from its beginning, and two that run at once do no harm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import tokentrail
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client, identifier
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["Kind", "MigrationError", "Step", "migrate", "plan", "steps"]


class MigrationError(ClickHouseError):
    """The database's history and this package's do not fit together. One sentence."""


class Kind(str, Enum):
    """What a file is: history, or a definition of today."""

    MIGRATION = "migration"
    DEFINITION = "definition"


@dataclass(frozen=True)
class Step:
    """A file that is to be run, with its rendered text."""

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


def plan(client: Client, target: Target) -> list[Step]:
    """What is still to be run in `target.database`; reads only. Raises `MigrationError` where history does not fit."""
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
    return [step for step in known if step.name not in applied or applied[step.name][0] != step.checksum]


def migrate(client: Client, target: Target) -> list[Step]:
    """Make the database if there is none, run what is to be run, and return it. Leaves `target.database` in use."""
    pending = plan(client, target)
    if pending:
        on_cluster = f" ON CLUSTER '{target.cluster}'" if target.cluster else ""
        client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(target.database)}{on_cluster} ENGINE = Atomic")
        client.use(target.database)
        for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), target)):
            client.command(statement)
    for step in pending:
        for statement in step.statements:
            try:
                client.command(statement)
            except ClickHouseError as error:
                raise MigrationError(f"{step.kind.value} {step.name} stopped at «{statement[:60]}…»: {error}", error.code) from error
        client.insert_json(
            "migrations",
            [{"name": step.name, "checksum": step.checksum, "cluster": target.cluster, "package": getattr(tokentrail, "__version__", "")}],
        )
    client.use(target.database)
    return pending


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
