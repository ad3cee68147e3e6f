"""One engine for the whole run, one migrated database a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="session")
def engine_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine without any database of ours. Kept open: an engine lives as long as one of its sessions."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    folder: Path = tmp_path_factory.mktemp("clickhouse")
    client = connect(f"chdb://{folder}", create=True)
    yield f"chdb://{folder}"
    client.close()


@pytest.fixture
def dsn(engine_dsn: str) -> Iterator[str]:
    """The address of a database of the test's own, which does not exist yet."""
    name = f"t{next(_numbers)}"
    yield f"{engine_dsn}?database={name}"
    client = connect(engine_dsn, create=True)
    client.command(f"DROP DATABASE IF EXISTS {name} SYNC")
    client.close()


@pytest.fixture
def database(dsn: str) -> Iterator[Client]:
    """A migrated database of the test's own."""
    client = connect(dsn, create=True)
    migrate(client, Target(dsn.rpartition("=")[2]))
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
