"""One engine for the whole run, one migrated and empty database a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_rows import Land, Row, Total
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests look for as absent does not come: it is looked for once more and not for seconds."""
    monkeypatch.setattr("tokentrail.ledger.verify.PATIENCE", 0.001)
    monkeypatch.setattr("tokentrail.reconciling.inside.PATIENCE", 0.001)


@pytest.fixture(scope="session")
def engine_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine without any database of ours. Kept open: an engine lives as long as one of its sessions."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    folder: Path = tmp_path_factory.mktemp("clickhouse")
    client = connect(f"chdb://{folder}", create=True)
    yield f"chdb://{folder}"
    client.close()


@dataclass(frozen=True)
class Made:
    """A database right after its migration: its tables' definitions, and the rows of those tables in which a migration keeps its own account."""

    definitions: list[list[Any]]
    account: dict[str, list[list[Any]]]


class Databases:
    """Migrated databases to be used again: one that a test has left as it was made, but for rows, is emptied; any other is dropped."""

    def __init__(self, engine_dsn: str) -> None:
        self._engine_dsn = engine_dsn
        self._spare: list[str] = []
        self._made: dict[str, Made] = {}

    def take(self, *, migrated: bool) -> str:
        return self._spare.pop() if migrated and self._spare else f"t{next(_numbers)}"

    def migrate(self, client: Client, name: str) -> None:
        if name in self._made:
            return
        migrate(client, Target(name))
        filled = client.query("SELECT name FROM system.tables WHERE database = {name:String} AND total_rows > 0", {"name": name}).rows
        self._made[name] = Made(_definitions(client, name), {table: _rows(client, name, table) for (table,) in filled})

    def give_back(self, name: str) -> None:
        client = connect(self._engine_dsn, create=True)
        try:
            made = self._made.get(name)
            if (
                made
                and made.definitions == _definitions(client, name)
                and all(_rows(client, name, each) == rows for each, rows in made.account.items())
            ):
                for table, engine, _ in made.definitions:
                    if "MergeTree" in engine and table not in made.account:
                        client.command(f"TRUNCATE TABLE {name}.{table}")
                self._spare.append(name)
            else:
                client.command(f"DROP DATABASE IF EXISTS {name} SYNC")
        finally:
            client.close()


def _definitions(client: Client, name: str) -> list[list[Any]]:
    asked = "SELECT name, engine, create_table_query FROM system.tables WHERE database = {name:String} ORDER BY name"
    return client.query(asked, {"name": name}).rows


def _rows(client: Client, name: str, table: str) -> list[list[Any]]:
    return client.query(f"SELECT * FROM {name}.{table} ORDER BY ALL").rows


@pytest.fixture(scope="session")
def databases(engine_dsn: str) -> Databases:
    return Databases(engine_dsn)


@pytest.fixture
def dsn(engine_dsn: str, databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database of the test's own, which does not exist yet, or holds nothing where the test asks for `database`."""
    name = databases.take(migrated="database" in request.fixturenames)
    yield f"{engine_dsn}?database={name}"
    databases.give_back(name)


@pytest.fixture
def database(dsn: str, databases: Databases) -> Iterator[Client]:
    """A migrated database of the test's own."""
    client = connect(dsn, create=True)
    databases.migrate(client, dsn.rpartition("=")[2])
    yield client
    client.close()


@pytest.fixture
def land(database: Client) -> Land:
    """Insert rows into the landing table, all in one block."""

    def insert(*rows: Row) -> None:
        database.insert_json("usage_landing", rows)

    return insert


@pytest.fixture
def total(database: Client) -> Total:
    """Calls, input and output tokens of the whole view."""

    def read() -> tuple[int, int, int]:
        ((calls, given, answered),) = database.query("SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage").rows
        return calls, given or 0, answered or 0

    return read
