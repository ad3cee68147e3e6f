"""Brings a database to the state that this version of tokentrail needs, and returns the steps that were run.

Tables are history: `migrations/NNNN_name.sql` create and change tables. Each file is run once, in order, and never changes afterwards; a file whose
rendered text differs from the text that was run is refused. Views are definitions: `definitions/NAME.sql` is put in place again whenever the rendered
text has changed, or the existing view is not the one that was put in place.
Every statement may be run twice, so an interrupted step is run again from its beginning, and two concurrent runs are harmless.
A table or view that was created and dropped since is created again if it holds no data; a table that held data is only reported.
The views of the bridge, which take spans and events of other instrumentations, are in place while the bridge is on: the database holds that setting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import tokentrail
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.definitions import Definition
from tokentrail.clickhouse.in_place import InPlace, inspect
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.objects import Made, made_by
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import Applied, Kind, MigrationError, Step, applied_to, bridge_steps, refuse_another_history, steps

__all__ = ["Kind", "MigrationError", "Step", "cluster_of", "lost_tables", "lost_tables_sentence", "migrate", "plan", "steps"]


def plan(client: Client, target: Target, *, empty_tables: bool = False, bridge: bool | None = None) -> list[Step]:
    """Returns the steps to run in `target.database`, with reasons; reads only. Raises `MigrationError` if the history does not fit.

    Dropped tables and views come first. `empty_tables` includes tables that held data. `bridge` turns the bridge on or off; None leaves it.
    """
    return _plan(client, target, empty_tables=empty_tables, bridge=bridge)[0]


def migrate(
    client: Client,
    target: Target,
    *,
    empty_tables: bool = False,
    bridge: bool | None = None,
    begins: Callable[[Step, int], None] = lambda _step, _steps: None,
) -> list[Step]:
    """Creates the database if there is none, runs the steps of `plan`, and returns these steps. Leaves `target.database` in use.

    `begins` is called with each step that begins, and the number of all steps.
    """
    pending, place = _plan(client, target, empty_tables=empty_tables, bridge=bridge)
    if pending:
        client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(target.database)}{target.on_cluster} ENGINE = Atomic")
        client.use(target.database)
        for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), target)):
            client.command(statement)
    dropped = [step for step in pending if step.kind is Kind.DROPPED]
    for step in dropped:
        begins(step, len(pending))
        _run(client, step, step.making)
    for step in dropped:  # only now: a landing table takes no record before all its views exist
        _run(client, step, [statement for statement in step.statements if statement not in step.making])
        _record(client, step, target)
    for step in (step for step in pending if step.kind is not Kind.DROPPED):
        begins(step, len(pending))
        _run(client, step, _statements_to_replace(client, step.definition, target, place) if step.definition else step.statements)
        _record(client, step, target)
    client.use(target.database)
    return pending


def bridge_is_on(client: Client, target: Target) -> bool:
    """Whether a database has the views of the bridge."""
    seen = inspect(client, target).seen
    return any(step.name in seen for step in bridge_steps(target))


def lost_tables(client: Client, target: Target) -> list[str]:
    """Returns the tables that held data and were dropped; reads only."""
    return [each.name for each in _dropped(target, applied_to(client, target.database), inspect(client, target)) if each.holds_data]


def lost_tables_sentence(tables: list[str]) -> str:
    """Returns the sentence about lost tables: what happened, and what to do."""
    names, undrop = ", ".join(tables), "; ".join(f"UNDROP TABLE {name}" for name in tables)
    many = len(tables) > 1
    return (
        f"{'tables' if many else 'table'} {names} {'are' if many else 'is'} not there any more, with all that {'they' if many else 'it'} held: "
        f"bring {'them' if many else 'it'} back (`{undrop}` within minutes of the drop, or a backup), "
        f"or let `tokentrail migrate --empty-tables` make {'them' if many else 'it'} anew, empty"
    )


def cluster_of(client: Client, database: str) -> str:
    """Returns the cluster that a database was migrated for; empty for a single server, and if nothing was applied."""
    return max((applied.cluster for applied in applied_to(client, database).values()), default="")


def _plan(client: Client, target: Target, *, empty_tables: bool, bridge: bool | None) -> tuple[list[Step], InPlace]:
    applied, known, bridging = applied_to(client, target.database), steps(target), bridge_steps(target)
    refuse_another_history(applied, [*known, *bridging], target)
    place = inspect(client, target)
    in_place = [step for step in bridging if step.name in place.seen]
    removed = [_removal(step, target) for step in in_place] if bridge is False else []
    known += bridging if bridge or (in_place and not removed) else []
    dropped = _dropped(target, applied, place)
    _refuse_other_replicas(dropped, place, target)
    lost = [] if empty_tables else [each.name for each in dropped if each.holds_data]
    put_back = [
        Step(Kind.DROPPED, each.name, ";\n\n".join(each.statements), place.lacks(each.name), _definition(known, each.name))
        for each in dropped
        if each.name not in lost and not each.needs(lost)  # a view of a lost table is created after the table
    ]
    missing = {each.name for each in dropped}
    to_run = [step for step in known if step.name not in missing and not (step.definition and step.definition.tables & set(lost))]
    return removed + put_back + [replace(step, reason=reason) for step in to_run if (reason := _reason(step, applied.get(step.name), place))], place


def _removal(step: Step, target: Target) -> Step:
    return Step(Kind.REMOVED, step.name, f"DROP VIEW IF EXISTS {step.name}{target.on_cluster} SYNC", "is turned off")


def _reason(step: Step, applied: Applied | None, place: InPlace) -> str:
    if applied is None or (step.definition is not None and step.name not in place.seen):
        return "is new"
    if applied.checksum != step.checksum:
        return "has changed"
    return "" if step.definition is None or place.holds(step.definition, applied.in_place) else "is not what was put in place"


def _dropped(target: Target, applied: dict[str, Applied], place: InPlace) -> list[Made]:
    """Returns the tables and views that the applied steps have created and that are missing; on a cluster, on any node that answers."""
    made = made_by(statement for step in steps(target) if step.name in applied for statement in step.statements)
    return [each for each in made.values() if place.lacks(each.name)]


def _refuse_other_replicas(dropped: list[Made], place: InPlace, target: Target) -> None:
    """Raises `MigrationError` for a stored table that only some nodes lack: a table created there would not be a replica of the others."""
    for each in dropped:
        if each.holds_data and each.name in place.seen:
            raise MigrationError(
                f"table {each.name} {place.lacks(each.name)} of cluster {target.cluster}: make it there by the statement and the UUID of the others "
                "(SHOW CREATE TABLE, show_table_uuid_in_table_create_query_if_not_nil = 1), else it is no replica of theirs"
            )


def _definition(known: list[Step], name: str) -> Definition | None:
    return next((step.definition for step in known if step.name == name), None)


def _statements_to_replace(client: Client, definition: Definition, target: Target, place: InPlace) -> list[str]:
    """Returns the statements that put a view in the place of the existing object."""
    if place.conflicts_with(definition):  # the existing view cannot be changed into this one
        if not place.seen[definition.name].is_view:
            raise MigrationError(
                f"{definition.name} is a table in database {target.database}, and tokentrail has a view of that name: rename the table"
            )
        return [f"DROP VIEW IF EXISTS {definition.name}{target.on_cluster} SYNC", *definition.making]
    if definition.name not in place.seen:
        return definition.making
    if definition.fed:
        _refuse_lacking_columns(client, definition)
    return definition.changing


def _refuse_lacking_columns(client: Client, definition: Definition) -> None:
    """Raises `MigrationError` for a view with a column that its table lacks: ClickHouse would leave the column out silently."""
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


def _run(client: Client, step: Step, statements: list[str]) -> None:
    for statement in statements:
        try:
            client.command(statement)
        except ClickHouseError as error:
            what = f"{step.kind.value} {step.name} stopped at «{' '.join(statement.split())[:60]}…»"
            raise MigrationError(f"{what}: {error}", error.code) from error


def _record(client: Client, step: Step, target: Target) -> None:
    """Records that a file was run, with the fingerprints of its view on the servers: none of a view that was removed."""
    if step.kind is Kind.DROPPED and step.definition is None:
        return
    checksum, in_place = step.checksum, list[str]()
    if step.definition:
        checksum, in_place = step.definition.checksum, sorted(inspect(client, target, step.name).seen[step.name].fingerprints)
    applied = {"name": step.name, "checksum": checksum, "cluster": target.cluster, "in_place": in_place}
    client.insert_json("migrations", [applied | {"package": getattr(tokentrail, "__version__", "")}])
