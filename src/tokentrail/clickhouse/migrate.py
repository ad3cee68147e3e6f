"""Bring a database to the state that this version of tokentrail needs, and say what was done.

What is stored is history: `migrations/NNNN_name.sql` make and change tables, each is run once, in order, and never changes afterwards; a file whose
rendered text differs from what was run is refused. What is computed is a definition: `definitions/NAME.sql` is put in place again whenever its
rendered text has changed, or the view that is there is not the one that was put there.
Every statement may be run twice, so a step that was cut short is run again from its beginning, and two runs at once do no harm.
What was made and is not there any more (somebody dropped it) is put back where it holds no data; a table that held some is only named.
"""

from __future__ import annotations

from dataclasses import replace

import tokentrail
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.definitions import Definition
from tokentrail.clickhouse.in_place import InPlace, look
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.objects import Made, made_by
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import Applied, Kind, MigrationError, Step, applied_to, refuse_another_history, steps

__all__ = ["Kind", "MigrationError", "Step", "cluster_of", "is_lost", "lost_tables", "migrate", "plan", "steps"]


def plan(client: Client, target: Target, *, empty_tables: bool = False) -> list[Step]:
    """What is still to be run in `target.database`, with reasons; reads only. Raises `MigrationError` where history does not fit.

    What was dropped comes first. `empty_tables`: tables that held data too.
    """
    return _plan(client, target, empty_tables=empty_tables)[0]


def migrate(client: Client, target: Target, *, empty_tables: bool = False) -> list[Step]:
    """Make the database if there is none, run what is to be run, and return it. Leaves `target.database` in use."""
    pending, place = _plan(client, target, empty_tables=empty_tables)
    if pending:
        client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(target.database)}{target.on_cluster} ENGINE = Atomic")
        client.use(target.database)
        for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), target)):
            client.command(statement)
    dropped = [step for step in pending if step.kind is Kind.DROPPED]
    for step in dropped:
        _run(client, step, step.making)
    for step in dropped:  # only now: a landing table takes no record before all that reads it is there
        _run(client, step, [statement for statement in step.statements if statement not in step.making])
        _note(client, step, target)
    for step in pending[len(dropped) :]:
        _run(client, step, _changing(client, step.definition, target, place) if step.definition else step.statements)
        _note(client, step, target)
    client.use(target.database)
    return pending


def lost_tables(client: Client, target: Target) -> list[str]:
    """Tables that held data and are not there any more; reads only."""
    return [each.name for each in _dropped(target, applied_to(client, target.database), look(client, target)) if each.holds_data]


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
    return max((applied.cluster for applied in applied_to(client, database).values()), default="")


def _plan(client: Client, target: Target, *, empty_tables: bool) -> tuple[list[Step], InPlace]:
    applied, known = applied_to(client, target.database), steps(target)
    refuse_another_history(applied, known, target)
    place = look(client, target)
    dropped = _dropped(target, applied, place)
    _refuse_other_replicas(dropped, place, target)
    lost = [] if empty_tables else [each.name for each in dropped if each.holds_data]
    put_back = [
        Step(Kind.DROPPED, each.name, ";\n\n".join(each.statements), place.lacks(each.name), _definition(known, each.name))
        for each in dropped
        if each.name not in lost and not each.needs(lost)  # what reads a lost table is made when that is there again
    ]
    missing = {each.name for each in dropped}
    to_run = [step for step in known if step.name not in missing and not (step.definition and step.definition.tables & set(lost))]
    return put_back + [replace(step, reason=reason) for step in to_run if (reason := _reason(step, applied.get(step.name), place))], place


def _reason(step: Step, applied: Applied | None, place: InPlace) -> str:
    if applied is None:
        return "is new"
    if applied.checksum != step.checksum:
        return "has changed"
    return "" if step.definition is None or place.holds(step.definition, applied.in_place) else "is not what was put in place"


def _dropped(target: Target, applied: dict[str, Applied], place: InPlace) -> list[Made]:
    """What the steps that were applied have made, and is not there; on a cluster, on every node that answers."""
    made = made_by(statement for step in steps(target) if step.name in applied for statement in step.statements)
    return [each for each in made.values() if place.lacks(each.name)]


def _refuse_other_replicas(dropped: list[Made], place: InPlace, target: Target) -> None:
    """A stored table that only some nodes lack, and that was made anew there, would be none of the other nodes' replicas."""
    for each in dropped:
        if each.holds_data and each.name in place.seen:
            raise MigrationError(
                f"table {each.name} {place.lacks(each.name)} of cluster {target.cluster}: make it there by the statement and the UUID of the others "
                "(SHOW CREATE TABLE, show_table_uuid_in_table_create_query_if_not_nil = 1), else it is no replica of theirs"
            )


def _definition(known: list[Step], name: str) -> Definition | None:
    return next((step.definition for step in known if step.name == name), None)


def _changing(client: Client, definition: Definition, target: Target, place: InPlace) -> list[str]:
    """The statements that put a view in the place of what is there."""
    if place.is_another(definition):  # a view that cannot be changed into this one
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


def _run(client: Client, step: Step, statements: list[str]) -> None:
    for statement in statements:
        try:
            client.command(statement)
        except ClickHouseError as error:
            what = f"{step.kind.value} {step.name} stopped at «{' '.join(statement.split())[:60]}…»"
            raise MigrationError(f"{what}: {error}", error.code) from error


def _note(client: Client, step: Step, target: Target) -> None:
    """Write down that a file was run, and how the servers show its view."""
    if step.kind is Kind.DROPPED and step.definition is None:
        return
    checksum, in_place = step.checksum, list[str]()
    if step.definition:
        checksum, in_place = step.definition.checksum, sorted(look(client, target, step.name).seen[step.name].fingerprints)
    applied = {"name": step.name, "checksum": checksum, "cluster": target.cluster, "in_place": in_place}
    client.insert_json("migrations", [applied | {"package": getattr(tokentrail, "__version__", "")}])
