"""`tokentrail rollup --watch` waits for a server that is away, builds the sums by day once it answers, and ends in order at SIGTERM."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.support.ledger_rows import closing, usage
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.local.ports import free_port

TOKENTRAIL = str(Path(sys.executable).parent / "tokentrail")


def seed(server: ServerProcess, *, hours_ago: int) -> None:
    arrived = (datetime.now(timezone.utc) - timedelta(hours=hours_ago)).strftime("%Y-%m-%d %H:%M:%S.000")
    client = connect(server.addresses.dsn)
    client.insert_json("usage_landing", [row | {"arrived_at": arrived} for row in (usage(seq=1), usage(seq=2), closing(2))])
    client.close()


def test_watching_survives_a_server_that_is_away(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    port = free_port()
    server = start(http_port=port)
    seed(server, hours_ago=2)
    dsn = server.addresses.dsn
    server.stop()
    with (tmp_path / "said").open("w") as said, (tmp_path / "complained").open("w") as complained:
        command = [TOKENTRAIL, "rollup", "--watch", "--interval", "1", "--dsn", dsn]
        watching = subprocess.Popen(command, stdout=said, stderr=complained)
        try:
            wait_until(lambda: (tmp_path / "complained").read_text().startswith("waiting: "), "a sentence that it waits")
            start(http_port=port)
            wait_until(
                lambda: (tmp_path / "said").read_text().startswith("built the sums of 1 day: 2026-11-18\n"), "the sums of the day", deadline_s=60
            )
            watching.terminate()
            assert watching.wait(30) == 0
        finally:
            watching.kill()
            watching.wait()
    assert "Traceback" not in (tmp_path / "complained").read_text()


def test_a_day_with_arrivals_is_open_and_the_command_states_why(start: Callable[..., ServerProcess]) -> None:
    server = start()
    seed(server, hours_ago=0)
    ran = subprocess.run([TOKENTRAIL, "rollup", "--dsn", server.addresses.dsn], capture_output=True, text=True, check=True)
    assert ran.stdout == "nothing to build; 1 day is open: something has arrived within the hour\n"
    assert connect(server.addresses.dsn).query("SELECT count() FROM usage_daily").rows == [(0,)]
