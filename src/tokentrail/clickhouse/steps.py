"""The steps that create a database: this package's files, and the records of the applied ones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.definitions import Definition, bridge_definitions, definitions
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["Applied", "Kind", "MigrationError", "Step", "applied_to", "bridge_steps", "refuse_another_history", "steps"]

_OLD_MIGRATIONS = frozenset(
    {
        "0001_ledger_tables",
        "0002_ledger_views",
        "0003_landing",
        "0004_otel_logs",
        "0005_otel_traces",
        "0006_otel_metrics",
        "0007_half_estimates",
    }
)
"""Migrations from before views were definitions. Their tables are those of 0001 to 0005 today, which change nothing there."""


class MigrationError(ClickHouseError):
    """The database's history does not match this package's. One sentence."""


class Kind(str, Enum):
    """The kind of a step: a migration, a definition, a dropped table or view, or a view of the bridge that is removed."""

    MIGRATION = "migration"
    DEFINITION = "definition"
    DROPPED = "dropped"
    REMOVED = "removed"


@dataclass(frozen=True)
class Step:
    """A file to run, with its rendered text; or a dropped table or view to create again, with its statements."""

    kind: Kind
    name: str
    text: str
    reason: str = ""
    """Why the step is to be run, as the end of a sentence that begins with the step's name."""
    definition: Definition | None = None
    """The view that the step puts in place; None for a step about tables."""

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the rendered text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def statements(self) -> list[str]:
        """The statements to run, in order."""
        return self.definition.changing if self.definition and self.kind is Kind.DEFINITION else sqlfiles.statements(self.text)

    @property
    def making(self) -> list[str]:
        """For a dropped table: the statements that create the table with all its columns, which a view of the table may need at once."""
        return [statement for place, statement in enumerate(self.statements) if place == 0 or " ADD COLUMN " in statement]


@dataclass(frozen=True, slots=True)
class Applied:
    """The latest applied step of a name."""

    checksum: str
    cluster: str
    in_place: Collection[str]
    """The view's fingerprints when the view was put in place."""


def steps(target: Target) -> list[Step]:
    """Returns the files of this package that every database needs, rendered, in the order of running."""
    history = [name for name in sqlfiles.names("migrations") if name[:4].isdigit()]
    return [
        *(Step(Kind.MIGRATION, name, sqlfiles.render(sqlfiles.read("migrations", name), target)) for name in history),
        *(Step(Kind.DEFINITION, each.name, each.text, definition=each) for each in definitions(target)),
    ]


def bridge_steps(target: Target) -> list[Step]:
    """Returns the steps that put the views of the bridge in place."""
    return [Step(Kind.DEFINITION, each.name, each.text, definition=each) for each in bridge_definitions(target)]


def applied_to(client: Client, database: str, table: str = "migrations") -> dict[str, Applied]:
    """Returns the steps last applied to a database, by name; none if the database does not exist. `table`: the table that holds them."""
    columns = client.query(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position",
        {"database": database, "table": table},
    ).rows
    if not columns:
        return {}
    in_place = "in_place" if ("in_place",) in columns else "CAST([] AS Array(String))"
    # of two steps applied in one millisecond the query returns the same one every time
    latest = f"SELECT name, argMax((checksum, cluster, {in_place}), (applied_at, checksum, cluster))"
    rows = client.query(f"{latest} FROM {identifier(database)}.{identifier(table)} GROUP BY name ORDER BY name").rows
    return {name: Applied(*applied) for name, applied in rows}


def refuse_another_history(applied: dict[str, Applied], known: list[Step], target: Target) -> None:
    """Raises `MigrationError` if the applied files are not those of this package, or were rendered for another cluster."""
    newer = sorted(applied.keys() - {step.name for step in known} - _OLD_MIGRATIONS)
    if newer:
        raise MigrationError(f"database {target.database} was migrated by a newer tokentrail ({newer[-1]} is not known here): upgrade this one")
    clusters = {each.cluster for each in applied.values()}
    if clusters - {target.cluster}:
        was = f"with --cluster {max(clusters)}" if any(clusters) else "without --cluster"
        raise MigrationError(f"database {target.database} was migrated {was}: say the same again, tables do not move by themselves")
    for step in known:
        if step.kind is Kind.MIGRATION and step.name in applied and applied[step.name].checksum != step.checksum:
            raise MigrationError(
                f"migration {step.name} is not the text that was applied to database {target.database}: history is never edited, "
                "put the old text back and write a new migration"
            )
