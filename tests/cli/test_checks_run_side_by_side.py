"""`tokentrail check --notify` as cron runs it: real processes on a served ledger, several at once, and one that is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.alert_receivers import Web, web
from tests.support.ledger_rows import usage
from tokentrail.alerts.conditions import CONDITIONS
from tokentrail.alerts.store import leased
from tokentrail.clickhouse.client import Client, connect

pytest.importorskip("apprise", reason="tokentrail[notify] is not installed")
pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[tuple[str, Client]]:
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path / "served") as server:
        client = connect(server.addresses.dsn)
        now = time.time_ns() - 60 * 10**9
        client.insert_json(
            "usage_landing",
            [usage(seq=seq, ts=now + seq, content=str(seq), tenant=f"{seq}", more={"ended": "error", "error_type": "500"}) for seq in range(1, 31)],
        )
        yield server.addresses.dsn, client
        client.close()


@pytest.fixture
def hook() -> Iterator[Web]:
    with web() as server:
        yield server


def start(dsn: str, hook: Web, thresholds: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"TOKENTRAIL_CLICKHOUSE_DSN": dsn, "TOKENTRAIL_NOTIFY": f"json://{hook.host}/"}
    command = [sys.executable, "-m", "tokentrail", "check", "error_share", "--notify", "--thresholds", str(thresholds), "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_several_at_once_each_answers_and_one_tells(ledger: tuple[str, Client], hook: Web, tmp_path: Path) -> None:
    dsn, client = ledger
    thresholds = tmp_path / "thresholds.toml"
    thresholds.write_text("[error_share]\nhold = 0\n")
    running = [start(dsn, hook, thresholds) for _ in range(4)]
    said = [each.communicate(timeout=120) for each in running]
    assert [each.returncode for each in running] == [1] * 4, said
    assert all(json.loads(out)[0]["condition"] == "error_share" for out, _ in said)
    assert [each["title"] for each in hook.bodies] == ["tokentrail: error share"], "told once"
    with leased(client) as lease:
        assert lease is not None
        late = start(dsn, hook, thresholds)
        out, err = late.communicate(timeout=120)
        assert "another check tells at this moment" in err
        assert (late.returncode, json.loads(out)[0]["firing"]) == (1, True)
    assert len(hook.bodies) == 1


def test_a_folder_without_a_server_will_do(tmp_path: Path, hook: Web) -> None:
    dsn = f"chdb://{tmp_path}/ledger"
    environment = os.environ | {"TOKENTRAIL_CLICKHOUSE_DSN": dsn, "TOKENTRAIL_NOTIFY": f"json://{hook.host}/"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tokentrail", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    assert run("migrate").returncode == 0
    checked = run("check", "--notify")
    assert (checked.returncode, checked.stdout) == (0, f"✓ nothing fires, {len(CONDITIONS)} conditions looked at\n"), checked.stderr
    assert "0 messages sent" in checked.stderr
    assert hook.bodies == []
