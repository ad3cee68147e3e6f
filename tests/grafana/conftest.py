"""One embedded ClickHouse with a seeded ledger, and the data source's backend on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import query_path
from tests.support.grafana_ledger import fill
from tests.support.query_path import QueryPath
from tests.support.require import require
from tokentrail.clickhouse.client import Client, connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses
from tokentrail.local.cache import Progress, Unavailable

READ_ONLY = [{"setting": "readonly", "value": "1"}]
EXPORTED = Path(__file__).parents[2] / "deploy" / "grafana"


@pytest.fixture(scope="session")
def query_path_program() -> Path:
    built = query_path.obtain(Progress(print))
    if isinstance(built, Unavailable):
        require("query-path", str(built))
    return built


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    with ServerProcess.started(tmp_path_factory.mktemp("grafana")) as process:
        yield process.addresses


@pytest.fixture(scope="session")
def ledger(server: Addresses) -> Iterator[Client]:
    """The seeded ledger, as the command line reads it."""
    client = connect(server.dsn)
    fill(client)
    yield client
    client.close()


@pytest.fixture(scope="session")
def backend(server: Addresses, query_path_program: Path, ledger: Client) -> Iterator[QueryPath]:
    """The backend with the data source that is exported; the server's address is the test's, and the user may read and do nothing else."""
    provisioned = yaml.safe_load((EXPORTED / "provisioning/datasources/tokentrail.yaml").read_text("utf-8"))
    port = int(server.http.rpartition(":")[2])
    options = provisioned["datasources"][0]["jsonData"] | {"host": "127.0.0.1", "port": port, "username": "default", "customSettings": READ_ONLY}
    running = QueryPath(query_path_program, options)
    yield running
    running.close()


@pytest.fixture(scope="session")
def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards as they are checked in, by their uid."""
    folder = EXPORTED / "provisioning/dashboards/tokentrail"
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
