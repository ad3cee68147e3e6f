"""Bring a database to the state that this version of tokentrail needs, and say what was done.

What is stored is history: `migrations/NNNN_name.sql` make and change tables, each is run once, in order, and never changes afterwards; a file whose
rendered text differs from what was run is refused. What is computed is a definition: `definitions/NAME.sql` is put in place again whenever its
rendered text has changed, or the view that is there is not the one that was put there (`tokentrail.clickhouse.in_place`).
Every statement may be run twice, so a step that was cut short is run again from its beginning, and two runs at once do no harm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import tokentrail
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client, identifier
from tokentrail.clickhouse.definitions import Definition, definitions
from tokentrail.clickhouse.in_place import InPlace, look
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["Kind", "MigrationError", "Step", "migrate", "plan", "recorded_target", "steps"]

_FORMER = frozenset(
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
"""Migrations from before views were definitions. They made the tables that 0001 to 0005 make now, which find them there."""
_MADE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_DROPPED = re.compile(r"DROP TABLE IF EXISTS (\w+)")
_CHANGED = re.compile(r"ALTER TABLE (\w+)")


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
    reason: str = ""
    """Why the step is to be run, as the end of a sentence that begins with its name."""

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the rendered text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def statements(self) -> list[str]:
        """The statements to run, in order."""
        return Definition(self.name, self.text).statements if self.kind is Kind.DEFINITION else sqlfiles.statements(self.text)

    @cached_property
    def touches(self) -> frozenset[str]:
        """The tables that the step changes, reads or feeds, beyond those that it makes."""
        if self.kind is Kind.DEFINITION:
            definition = Definition(self.name, self.text)
            return definition.reads | {definition.fed}
        return frozenset(_CHANGED.findall(self.text))


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was last applied under a name."""

    checksum: str
    cluster: str
    in_place: Collection[str]
    """The view's fingerprints once it was put in place."""


def steps(target: Target) -> list[Step]:
    """Every file of this package, rendered, in the order of running."""
    history = [name for name in sqlfiles.names("migrations") if name[:4].isdigit()]
    return [
        *(Step(Kind.MIGRATION, name, sqlfiles.render(sqlfiles.read("migrations", name), target)) for name in history),
        *(Step(Kind.DEFINITION, definition.name, definition.text) for definition in definitions(target)),
    ]


def plan(client: Client, target: Target) -> list[Step]:
    """What is still to be run in `target.database`, with reasons; reads only. Raises `MigrationError` where history does not fit."""
    return _plan(client, target)[0]


def _plan(client: Client, target: Target) -> tuple[list[Step], InPlace]:
    applied = _applied(client, target.database)
    known = steps(target)
    _refuse_another_history(applied, known, target)
    place = look(client, target)
    dropped = {table for step in known if step.kind is Kind.MIGRATION for table in _DROPPED.findall(step.text)}
    pending, anew = [], set[str]()
    for step in known:
        reason = "is new"
        if step.name in applied:
            lost = _lost(step, place, dropped, target)
            anew |= lost.keys()
            reason = "; ".join(lost.values()) or _outdated(step, applied[step.name], place) or _beside(step, anew)
        if reason:
            pending.append(replace(step, reason=reason))
    return pending, place


def migrate(client: Client, target: Target) -> list[Step]:
    """Make the database if there is none, run what is to be run, and return it. Leaves `target.database` in use."""
    pending, place = _plan(client, target)
    if pending:
        client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(target.database)}{target.on_cluster} ENGINE = Atomic")
        client.use(target.database)
        for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), target)):
            client.command(statement)
    for step in pending:
        _run(client, step, target, place)
    client.use(target.database)
    return pending


def recorded_target(client: Client) -> Target:
    """The database in use, with the cluster that it was migrated for."""
    clusters = {applied.cluster for applied in _applied(client, client.database).values()}
    return Target(client.database, max(clusters, default=""))


def _refuse_another_history(applied: dict[str, _Applied], known: list[Step], target: Target) -> None:
    newer = sorted(applied.keys() - {step.name for step in known} - _FORMER)
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


def _lost(step: Step, place: InPlace, dropped: Collection[str], target: Target) -> dict[str, str]:
    """The tables that a migration made and somebody has dropped, each with a part of a sentence.

    Raises `MigrationError` for a stored table that only some nodes lack: made anew it would be none of the others' replicas.
    """
    if step.kind is Kind.DEFINITION:
        return {}
    lost = {table: place.lacks(table) for table in _MADE.findall(step.text) if table not in dropped and place.lacks(table)}
    for table, lacks in lost.items():
        if table in place.seen and any("MergeTree" in engine for engine in place.seen[table].engines):
            raise MigrationError(
                f"table {table} {lacks} of cluster {target.cluster}: make it there by the statement and the UUID that the others have "
                "(SHOW CREATE TABLE, show_table_uuid_in_table_create_query_if_not_nil = 1), else it is no replica of theirs"
            )
    return {table: f"made {table}, which {lacks}" for table, lacks in lost.items()}


def _outdated(step: Step, applied: _Applied, place: InPlace) -> str:
    if step.kind is Kind.MIGRATION:
        return ""
    if applied.checksum != step.checksum:
        return "has changed"
    return place.differs(Definition(step.name, step.text), applied.in_place)


def _beside(step: Step, anew: Collection[str]) -> str:
    beside = sorted(step.touches & set(anew))
    return f"goes with {beside[0]}, which is made anew" if beside else ""


def _run(client: Client, step: Step, target: Target, place: InPlace) -> None:
    statements, in_place = step.statements, list[str]()
    if step.kind is Kind.DEFINITION:
        statements = _changing(client, Definition(step.name, step.text), target, place)
    for statement in statements:
        try:
            client.command(statement)
        except ClickHouseError as error:
            raise MigrationError(f"{step.kind.value} {step.name} stopped at «{' '.join(statement.split())[:60]}…»: {error}", error.code) from error
    if step.kind is Kind.DEFINITION:
        in_place = sorted(look(client, target, step.name).seen[step.name].fingerprints)
    applied = {"name": step.name, "checksum": step.checksum, "cluster": target.cluster, "in_place": in_place}
    client.insert_json("migrations", [applied | {"package": getattr(tokentrail, "__version__", "")}])


def _changing(client: Client, definition: Definition, target: Target, place: InPlace) -> list[str]:
    """The statements that put a view in the place of what is there."""
    if place.is_another(definition):  # a view that cannot be changed into this one
        if not place.seen[definition.name].is_view:
            raise MigrationError(
                f"{definition.name} is a table in database {target.database}, and tokentrail has a view of that name: rename the table"
            )
        return [f"DROP VIEW IF EXISTS {definition.name}{target.on_cluster} SYNC", *definition.statements]
    if definition.name not in place.seen:
        return definition.making
    if definition.fed:
        _refuse_lacking_columns(client, definition)
    return definition.statements


def _refuse_lacking_columns(client: Client, definition: Definition) -> None:
    """What a changed view gives and its table has not would be left out without a word."""
    try:
        given = [row[0] for row in client.query(f"DESCRIBE TABLE ({definition.query})").rows]
        has = {row[0] for row in client.query(f"DESCRIBE TABLE {identifier(definition.fed)}").rows}
    except ClickHouseError as error:
        raise MigrationError(f"definition {definition.name} stopped at its SELECT: {error}", error.code) from error
    lacking = [name for name in given if name not in has]
    if lacking:
        raise MigrationError(
            f"definition {definition.name} gives {lacking[0]}, a column that {definition.fed} does not have: a migration has to add it"
        )


def _applied(client: Client, database: str) -> dict[str, _Applied]:
    """What was last applied under each name."""
    columns = client.query(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = 'migrations' ORDER BY position", {"database": database}
    ).rows
    if not columns:
        return {}
    in_place = "in_place" if ("in_place",) in columns else "CAST([] AS Array(String))"
    # two that were applied in one millisecond: the same one each time this is asked
    latest = f"SELECT name, argMax((checksum, cluster, {in_place}), (applied_at, checksum, cluster))"
    rows = client.query(f"{latest} FROM {identifier(database)}.migrations GROUP BY name ORDER BY name").rows
    return {name: _Applied(*applied) for name, applied in rows}
