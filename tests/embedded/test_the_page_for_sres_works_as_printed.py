"""The blocks of docs/sre.md that are marked `run` are run as printed and in order, on a ledger of two months; those marked `not-run` are parsed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.example_ledger import example_rows
from tokentrail.clickhouse.client import Client, connect
from tokentrail.embedded.process import ServerProcess

PAGE = Path(__file__).parents[2] / "docs" / "sre.md"
BLOCKS = re.findall(r"^```(\w+) ?([\w-]*)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
RUN = [(kind, text) for kind, mark, text in BLOCKS if mark == "run" and kind != "yaml"]
END = datetime(2026, 11, 20, tzinfo=timezone.utc)
CALLS, WAITING = 1500, 3
ENOUGH_DAYS = 40
DROPPED = "toYYYYMM(ts) = 202609"
WRITE = f"import tokentrail as t\nfor n in range({WAITING}): t.track_token_usage(token_type='llm', operation='chat', provider='groq', model='m', input_tokens=n)"


@dataclass
class World:
    server: ServerProcess
    folder: Path
    client: Client
    dropped: int
    """Calls of the month that the page drops."""

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENTRAIL_", "OTEL_"))}
        return clean | {"PATH": f"{Path(sys.executable).parent}:{clean['PATH']}", "TOKENTRAIL_CLICKHOUSE_DSN": self.server.addresses.dsn}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        here = {
            "http://127.0.0.1:8123": self.server.addresses.http,
            "http://127.0.0.1:4318": self.server.addresses.otlp,
            "/mnt/dead/journal": str(self.folder / "journal"),
        }
        for printed, real in here.items():
            script = script.replace(printed, real)
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False)

    def calls(self) -> int:
        return int(self.client.query("SELECT sum(calls) FROM usage").rows[0][0])


def summed(world: World) -> list[str]:
    """The days whose sums count."""
    return [str(day) for (day,) in world.client.query("SELECT DISTINCT day FROM usage_daily ORDER BY day").rows]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("page")
    arrived = (datetime.now(timezone.utc) - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.000")
    with ServerProcess.started(folder / "data") as server:
        client = connect(server.addresses.dsn)
        client.insert_json("usage_landing", [row | {"arrived_at": arrived} for row in example_rows(END, days=70, calls=CALLS)])
        ((dropped,),) = client.query(f"SELECT sum(calls) FROM usage WHERE {DROPPED}").rows
        assert 0 < int(dropped) < CALLS
        made = World(server, folder, client, int(dropped))
        waiting = {"TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"), "TOKENTRAIL_SHIP": "false"}
        subprocess.run([sys.executable, "-c", WRITE], env=made.environment | waiting, check=True, timeout=60)
        yield made
        client.close()


def test_every_block_states_whether_it_is_run() -> None:
    assert {mark for _, mark, _ in BLOCKS} == {"run", "not-run"}
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("\n```") / 2
    assert sum(mark == "run" for _, mark, _ in BLOCKS) > 10


@pytest.mark.parametrize("place", range(len(RUN)), ids=lambda place: RUN[place][1].split("\n")[0][:60])
def test_a_block_runs_as_printed(world: World, place: int) -> None:
    kind, script = RUN[place]
    if kind == "crontab":  # what `check` finds is no fault of the line
        script = "\n".join(f"{line.split(maxsplit=5)[5]} || test $? -eq 1" for line in script.splitlines())
    ran = world.run(script)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    so_far = "".join(text for _, text in RUN[: place + 1])
    shipped = WAITING if "journal ship" in so_far else 0
    dropped = world.dropped if "DROP PARTITION 202609" in so_far else 0
    assert world.calls() == CALLS + shipped - dropped
    if place == 0:
        assert len(summed(world)) > ENOUGH_DAYS


def test_sums_by_day_come_back(world: World) -> None:
    """What was read again is an arrival, and its days are open for an hour; then they are summed, those of the dropped month are not, and all agree."""
    assert summed(world) == []
    world.client.command("ALTER TABLE usage_ledger UPDATE arrived_at = arrived_at - toIntervalHour(2) WHERE true SETTINGS mutations_sync = 1")
    ran = world.run("tokentrail rollup; tokentrail verify; tokentrail check reconciliation missing_events")
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    days = summed(world)
    assert len(days) > ENOUGH_DAYS
    assert not [day for day in days if day.startswith("2026-09")]


def test_what_the_page_leaves_to_the_reader_is_sql(world: World) -> None:
    for kind, mark, text in BLOCKS:
        if mark == "not-run":
            assert kind == "sql"
            for statement in filter(None, (each.strip() for each in text.split(";\n"))):
                world.client.query(f"EXPLAIN AST {statement.removesuffix(';')}")


def test_a_partition_dropped_without_that_is_named_for_ever(world: World) -> None:
    """The page's warning is true; this is the last test of the file."""
    world.client.command("ALTER TABLE usage_ledger DROP PARTITION 202610")
    ran = world.run("tokentrail verify")
    assert ran.returncode == 1
    assert "calls are not in the ledger" in ran.stdout
    assert world.run("tokentrail check reconciliation").returncode == 1
