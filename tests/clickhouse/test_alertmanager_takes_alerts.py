"""A real Alertmanager takes what a check posts: active while it fires, gone when it is over, and not repeated by a check that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support import prometheus
from tests.support.require import require
from tests.support.waiting import wait_until
from tokentrail.alerts.check import Asked, tell
from tokentrail.alerts.conditions import BY_NAME, Finding
from tokentrail.alerts.messages import harmless
from tokentrail.alerts.targets import targets
from tokentrail.alerts.thresholds import parse
from tokentrail.clickhouse.client import Client
from tokentrail.local import ports
from tokentrail.local.child import Child

CONDITION = BY_NAME["error_share"]
HOSTILE = "o'hara <!channel> \u202e日本\n{{ .Labels }}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = prometheus.found("alertmanager")
    if program is None:
        require("alertmanager", "it is not installed: apt-get install prometheus-alertmanager")
    folder, port = tmp_path_factory.mktemp("alertmanager"), ports.free_port()
    (folder / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    options = [
        f"--config.file={folder}/config.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    server = Child("Alertmanager", [str(program), *options], log=Path(folder) / "log")
    server.start()
    try:
        wait_until(lambda: ports.answers(f"http://127.0.0.1:{port}/-/ready"), "Alertmanager answers")
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()


@pytest.fixture
def active(address: str) -> Callable[[], list[dict[str, Any]]]:
    def ask() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = urllib3.request("GET", f"http://{address}/api/v2/alerts", timeout=10).json()
        return found

    return ask


def test_alerts_are_active_until_they_are_over(database: Client, address: str, active: Callable[[], list[dict[str, Any]]]) -> None:
    now = datetime.now(timezone.utc) - timedelta(minutes=30)
    thresholds, to = parse("[error_share]\nhold = 0"), targets([f"alertmanager://{address}"])
    rows = [Finding(CONDITION.name, subject, 20.0, 10.0, 8.0, firing=True, detail="8 of 40 calls") for subject in (HOSTILE, "p / m")]
    assert tell(database, Asked(rows, [CONDITION]), thresholds, to, now=now).failed == []
    first = active()
    assert {each["labels"]["subject"] for each in first} == {harmless(HOSTILE), "p / m"}
    assert {each["labels"]["alertname"] for each in first} == {"TokentrailErrorShare"}
    assert all(each["annotations"]["runbook_url"] == "tokentrail check --runbook error_share" for each in first)
    tell(database, Asked(rows, [CONDITION]), thresholds, to, now=now + timedelta(minutes=5))
    assert {each["fingerprint"] for each in active()} == {each["fingerprint"] for each in first}
    tell(database, Asked(rows[1:], [CONDITION]), thresholds, to, now=now + timedelta(minutes=10))
    assert [each["labels"]["subject"] for each in active()] == ["p / m"]
    tell(database, Asked([], [CONDITION]), thresholds, to, now=now + timedelta(minutes=15))
    assert active() == []
