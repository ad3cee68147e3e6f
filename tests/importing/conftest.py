"""A real PostgreSQL, and a real ledger behind a real OTLP receiver, for the whole run; a database of its own for each test that asks for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import postgres
from tokentrail.clickhouse.client import connect


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as address:
        yield address


@pytest.fixture
def database(postgres_server: str) -> Iterator[Any]:
    """A connection to an empty database of the test's own."""
    psycopg = pytest.importorskip("psycopg", reason="the driver (tokentrail[import]) is not installed")
    name = f"app_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server} dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(f"{postgres_server} dbname={name}", autocommit=True) as connection:
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Ledger:
    """A served ledger, and the command that imports into it."""

    dsn: str
    otlp: str
    journal: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `tokentrail import …` as a process."""
        return subprocess.run([*COMMAND, *args], check=False, capture_output=True, text=True, env=self.env() | environment, timeout=120)

    def start(self, *args: str, **environment: str) -> subprocess.Popen[str]:
        """Start `tokentrail import …`, to be interrupted."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*COMMAND, *args], env=self.env() | environment, **pipes)

    def env(self) -> dict[str, str]:
        return os.environ | {
            "TOKENTRAIL_CLICKHOUSE_DSN": self.dsn,
            "TOKENTRAIL_ENDPOINT": f"{self.otlp}/v1/logs",
            "TOKENTRAIL_JOURNAL_DIR": str(self.journal),
            "TOKENTRAIL_EXIT_TIMEOUT": "10",
        }

    def imported(self, *args: str, **environment: str) -> dict[str, Any]:
        """Import, and return what the command says as JSON."""
        done = self.command(*args, "--json", **environment)
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"exit": done.returncode, "stderr": done.stderr}

    def rows(self, sql: str) -> list[list[Any]]:
        client = connect(self.dsn)
        try:
            return [list(row) for row in client.query(sql).rows]
        finally:
            client.close()

    def verify(self) -> tuple[int, str]:
        """What `tokentrail verify` says: its exit code and its last line."""
        command = [sys.executable, "-m", "tokentrail", "verify", "--dsn", self.dsn]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout.strip().splitlines()[-1]

    def total(self) -> list[Any]:
        """Calls, input and output tokens, of the whole view."""
        (row,) = self.rows("SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage")
        return row


@pytest.fixture
def nowhere(tmp_path: Path) -> Ledger:
    """No ledger and no receiver: what is misuse is found before they are asked."""
    return Ledger("http://127.0.0.1:9/tokentrail", "http://127.0.0.1:9", tmp_path / "journal")


COMMAND = [sys.executable, "-m", "tokentrail", "import"]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path / "served") as server:
        yield Ledger(server.addresses.dsn, server.addresses.otlp, tmp_path / "journal")
