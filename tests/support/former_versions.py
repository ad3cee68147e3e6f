"""Databases as former versions of tokentrail have left them, by the number of the last migration, and the rows that writers of these versions sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.ledger_rows import Row
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.definitions import Definition, in_order
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import Kind, Step, steps

__all__ = ["FIRST_WITH_VIEWS", "MADE_BY", "apply", "make_database", "migrations", "sent", "views_of"]

MADE_BY: Final = Path(__file__).parents[1] / "clickhouse" / "made_by"
FIRST_WITH_VIEWS: Final = min(path.stem for path in MADE_BY.glob("*.jsonl"))
"""Before this number there is a database only where the first `tokentrail migrate` of all was interrupted."""


def migrations(database: str) -> list[Step]:
    """All migrations of today, in order."""
    return [step for step in steps(Target(database)) if step.kind is Kind.MIGRATION]


def views_of(number: str) -> list[Definition]:
    """The views of the latest version whose last migration is not above a number, in the order of putting them in place."""
    latest: dict[str, Path] = {}
    for path in sorted(MADE_BY.glob("*.*.sql"), key=lambda path: path.name.split(".")[1]):
        name, since, _ = path.name.split(".")
        if since <= number:
            latest[name] = path
    return in_order(Definition(name, path.read_text(encoding="utf-8")) for name, path in latest.items())


def make_database(client: Client, name: str, number: str) -> None:
    """Makes a database whose last migration has this number, with the views of its version; leaves it in use."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(name)} ENGINE = Atomic")
    client.use(name)
    for statement in sqlfiles.statements(sqlfiles.render(sqlfiles.read("migrations", "applied"), Target(name))):
        client.command(statement)
    former = [step for step in migrations(name) if step.name[:4] <= number]
    apply(client, [*former, *(Step(Kind.DEFINITION, view.name, view.text) for view in views_of(number))])


def apply(client: Client, files: Sequence[Step]) -> None:
    """Runs files, and records that they were run."""
    for step in files:
        for statement in step.statements:
            client.command(statement)
    client.insert_json("migrations", [{"name": step.name, "checksum": step.checksum, "cluster": "", "package": "0.1.0"} for step in files])


def sent() -> list[Row]:
    """The landing rows of one writer of each former version."""
    lines = (line for path in sorted(MADE_BY.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines())
    return [json.loads(line) for line in lines]
