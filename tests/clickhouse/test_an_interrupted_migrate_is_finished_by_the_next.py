"""`tokentrail migrate` that is interrupted or killed in any step leaves a database that takes no record uncounted, and that the next run finishes."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.ledger_rows import usage
from tests.support.terminal import TOKENTRAIL, tokentrail
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.dsn import parse_dsn
from tokentrail.clickhouse.errors import ClickHouseError
from tokentrail.clickhouse.migrate import plan
from tokentrail.clickhouse.steps import Target

DEADLINE_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("migrated")) as started:
        yield started.addresses.http


@pytest.fixture
def dsn(server: str, request: pytest.FixtureRequest) -> str:
    """A database of the test's own, which is not there yet."""
    return f"{server}/{re.sub('[^a-z0-9]+', '_', request.node.name.lower())}"


def signalled(dsn: str, number: signal.Signals, is_time: Callable[[], bool]) -> tuple[int, str]:
    """Runs `tokentrail migrate` until it is time, and sends the signal. Returns the exit code and standard error."""
    process = subprocess.Popen([*TOKENTRAIL, "migrate", "--dsn", dsn], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while process.poll() is None and not is_time():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(number)
        return process.wait(DEADLINE_S), process.communicate()[1]
    finally:
        process.kill()
        process.wait()


def applied(client: Client, database: str) -> int:
    try:
        return int(client.query(f"SELECT count() FROM {database}.migrations").rows[0][0])
    except ClickHouseError:
        return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("steps", [1, 12])
def test_the_next_run_finishes(dsn: str, number: signal.Signals, steps: int) -> None:
    target = Target(parse_dsn(dsn).database)
    client = connect(dsn, create=True)
    code, said = signalled(dsn, number, lambda: applied(client, target.database) >= steps)
    left = plan(client, target)
    client.use(target.database)
    assert left, "the run was over before the signal"
    assert code == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    assert ("interrupted in step " in said and "run `tokentrail migrate` again" in said) == (number == signal.SIGINT)
    try:
        client.insert_json("usage_landing", [usage(seq=1)])
    except ClickHouseError:
        took = 0
    else:
        took = 1
    finished = tokentrail("migrate", "--dsn", dsn)
    assert (finished.code, finished.err) == (0, "")
    assert plan(client, target) == []
    client.insert_json("usage_landing", [usage(seq=2)])
    assert client.query("SELECT sum(calls) FROM usage").rows == [(took + 1,)]
    client.close()
