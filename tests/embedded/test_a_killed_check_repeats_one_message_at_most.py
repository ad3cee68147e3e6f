"""A check is a process that is killed at any instant: each target hears of each condition, and of one message at most twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.alert_receivers import Web, web
from tests.support.ledger_rows import usage
from tokentrail.clickhouse.client import Client, connect
from tokentrail.embedded.process import ServerProcess

pytest.importorskip("apprise", reason="tokentrail[notify] is not installed")

CONDITIONS = ("error_share", "rate_limits", "quarantine", "missing_events")
THRESHOLDS = "[error_share]\nhold = 0\n[rate_limits]\nhold = 0\n[missing_events]\nhold = 0\n"


@pytest.fixture
def hook() -> Iterator[Web]:
    with web() as server:
        yield server


@pytest.fixture
def world(start: Callable[..., ServerProcess], tmp_path: Path, hook: Web) -> Iterator[tuple[Client, Callable[[], subprocess.Popen[bytes]]]]:
    """A ledger on which four conditions fire, and a way to start a check that tells two targets."""
    server = start()
    client = connect(server.addresses.dsn)
    ts = time.time_ns() - 60 * 10**9
    errors = ["500"] * 15 + ["429"] * 15
    rows = [usage(seq=n, ts=ts + n, content=str(n), more={"ended": "error", "error_type": each}) for n, each in enumerate(errors, 1)]
    client.insert_json("usage_landing", [*rows, usage(seq=40, ts=ts, input_tokens="many")])
    (tmp_path / "thresholds.toml").write_text(THRESHOLDS)
    program = str(Path(sys.executable).with_name("tokentrail"))
    command = [program, "check", *CONDITIONS, "--notify", "--thresholds", str(tmp_path / "thresholds.toml")]
    environment = os.environ | {"TOKENTRAIL_CLICKHOUSE_DSN": server.addresses.dsn, "TOKENTRAIL_NOTIFY": f"json://{hook.host}/a json://{hook.host}/b"}
    yield client, lambda: subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client.close()


def told(hook: Web) -> dict[tuple[str, str], int]:
    heard = [(path, body["title"]) for path, _, body in hook.requests]
    return {each: heard.count(each) for each in heard}


def wait_for_its_turn(client: Client) -> None:
    """The time of a check that was killed is over, as it is after two minutes."""
    client.command("INSERT INTO alert_checks (number, holder, until, ended) SELECT max(number), any(holder), now64(3), true FROM alert_checks")


def test_killed_before_it_can_store_what_it_has_told(world: tuple[Client, Callable[[], subprocess.Popen[bytes]]], hook: Web) -> None:
    client, begin = world
    running: list[subprocess.Popen[bytes]] = []
    for kills in range(1, 3):
        count = len(hook.requests)

        def kill(count: int = count) -> None:
            if len(hook.requests) == count + 2:  # the second message of this check has arrived, and has no answer yet
                running[-1].kill()
                running[-1].wait(30)

        hook.meanwhile = kill
        running.append(begin())
        assert running[-1].wait(60) == -signal.SIGKILL
        assert sum(told(hook).values()) == len(hook.requests) == 2 * kills
        wait_for_its_turn(client)
    hook.meanwhile = lambda: None
    assert begin().wait(60) == 1, "it fires"
    assert len(told(hook)) == 2 * len(CONDITIONS)
    assert sum(told(hook).values()) <= 2 * len(CONDITIONS) + 2, "one message more for each kill"
    assert begin().wait(60) == 1
    assert sum(told(hook).values()) <= 2 * len(CONDITIONS) + 2


def test_killed_at_any_instant(world: tuple[Client, Callable[[], subprocess.Popen[bytes]]], hook: Web) -> None:
    client, begin = world
    began = time.monotonic()
    first = begin()
    first.wait(60)
    whole = time.monotonic() - began
    hook.requests.clear()
    client.command("TRUNCATE TABLE alerts")
    for part in (0.6, 0.75, 0.9):
        running = begin()
        try:
            running.wait(whole * part)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(30)
        wait_for_its_turn(client)
    begin().wait(60)
    assert len(told(hook)) == 2 * len(CONDITIONS), "each has heard of each"
    assert max(told(hook).values()) <= 4
    assert sum(told(hook).values()) <= 2 * len(CONDITIONS) + 3, "at most one message more for each kill"


def test_two_at_once_tell_once(world: tuple[Client, Callable[[], subprocess.Popen[bytes]]], hook: Web) -> None:
    _, begin = world
    for process in [begin(), begin()]:
        assert process.wait(60) == 1
    assert told(hook) == {(path, f"tokentrail: {name.replace('_', ' ')}"): 1 for path in ("/a", "/b") for name in CONDITIONS}
