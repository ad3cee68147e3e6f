"""Sums by day are built by `tokentrail serve` and by `tokentrail rollup --watch`, again after whatever failed, and both end in order."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_rows import closing, usage
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.errors import ClickHouseError
from tokentrail.embedded import rollups
from tokentrail.embedded.process import ServerProcess
from tokentrail.ledger.rollup import Progress, refresh
from tokentrail.local.ports import free_port

TOKENTRAIL = str(Path(sys.executable).parent / "tokentrail")


def summed_days(dsn: str) -> int:
    client = connect(dsn)
    ((days,),) = client.query("SELECT uniqExact(day) FROM usage_daily").rows
    client.close()
    return int(days)


def seed(dsn: str, *, hours_ago: int) -> None:
    arrived = (datetime.now(timezone.utc) - timedelta(hours=hours_ago)).strftime("%Y-%m-%d %H:%M:%S.000")
    client = connect(dsn)
    client.insert_json("usage_landing", [row | {"arrived_at": arrived} for row in (usage(seq=1), usage(seq=2), closing(2))])
    client.close()


def test_watching_survives_a_server_that_is_away(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    port = free_port()
    server = start(http_port=port)
    seed(server.addresses.dsn, hours_ago=2)
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
    seed(server.addresses.dsn, hours_ago=0)
    ran = subprocess.run([TOKENTRAIL, "rollup", "--dsn", server.addresses.dsn], capture_output=True, text=True, check=True)
    assert ran.stdout == "nothing to build; 1 day is open: something has arrived within the hour\n"
    assert connect(server.addresses.dsn).query("SELECT count() FROM usage_daily").rows == [(0,)]


def test_serve_builds_them_by_itself(tmp_path: Path) -> None:
    port, ready = free_port(), tmp_path / "ready"
    command = [TOKENTRAIL, "serve", "--data", str(tmp_path / "data"), "--http-port", str(port), "--otlp-port", "0"]
    serving = subprocess.Popen([*command, "--rollup-interval", "1", "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        wait_until(ready.exists, "the server", deadline_s=60)
        dsn = f"http://127.0.0.1:{port}/tokentrail"
        seed(dsn, hours_ago=2)
        wait_until(lambda: summed_days(dsn) == 1, "the sums of the day", deadline_s=60)
        serving.terminate()
        assert serving.wait(30) == 0
    finally:
        serving.kill()
        serving.wait()


def test_a_refresh_that_fails_is_tried_again(start: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    dsn = server.addresses.dsn
    seed(dsn, hours_ago=2)
    client = connect(dsn)
    failed = threading.Semaphore(0)

    def counted(*given: Any, **more: Any) -> Any:
        try:
            return refresh(*given, **more)
        except ClickHouseError:
            failed.release()
            raise

    monkeypatch.setattr(rollups, "refresh", counted)
    client.command("RENAME TABLE usage_days TO usage_days_away")
    with rollups.refreshing(dsn, 0.2):
        for _ in range(2):
            assert failed.acquire(timeout=60)
        client.command("RENAME TABLE usage_days_away TO usage_days")
        wait_until(lambda: summed_days(dsn) == 1, "the sums of the day", deadline_s=60)
    client.close()


def test_a_refresh_goes_on_only_to_the_next_days_when_the_server_ends(start: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    begun, threads = threading.Event(), []

    def of_many_days(_client: Any, *, progress: Progress) -> None:
        threads.append(threading.current_thread())
        for done in range(6000):
            begun.set()
            progress(done, 6000)
            time.sleep(0.01)

    monkeypatch.setattr(rollups, "refresh", of_many_days)
    with rollups.refreshing(server.addresses.dsn, 0.05):
        assert begun.wait(60)
    assert not threads[0].is_alive()
