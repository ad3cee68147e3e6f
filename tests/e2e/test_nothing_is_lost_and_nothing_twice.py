"""The promise, end to end: real processes, a real Collector, the real engine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.collector import World
from tests.support.services import Answered, StartService, environment_for
from tests.support.store import Store
from tests.support.waiting import wait_until
from tokentrail.local.ports import free_port
from tokentrail.testing import ReplayServer

COLLECTOR_AWAY_S = 60.0


def tokentrail(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokentrail", *arguments]
    return subprocess.run(command, env=os.environ | (environment or {}), capture_output=True, text=True, timeout=120, check=False)


def ledger(store: Store) -> dict[str, tuple[int, int, int]]:
    rows = store.query("SELECT operation_id, sum(calls), sum(input_tokens), sum(output_tokens) FROM usage GROUP BY operation_id")
    return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}


def get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    connection.close()


def test_kills_forks_exits_and_a_minute_without_collector(world: World, services: StartService, tmp_path: Path) -> None:
    store = world.store()
    gateway = world.gateway(store)
    gateway.kill()
    away_since = time.monotonic()
    journal = tmp_path / "journal"
    with ReplayServer(providers=["openai"]) as replay:
        settings = environment_for(replay_url=replay.url("openai"), replay_port=replay.port, otlp=gateway.otlp_http_url, journal=journal)
        web_port = free_port()
        survivor = services("run", "survivor", environment=settings)
        victims = [services("run", f"victim{number}", environment=settings) for number in range(3)]
        hard = services("exit", "hard", calls=20, environment=settings)
        forking = services("fork", "forking", calls=10, environment=settings)
        web = services("web", "web", environment=settings | {"SERVICE_PORT": str(web_port)})

        for number, victim in enumerate(victims):
            wait_until(lambda victim=victim, number=number: len(victim.answered) > 20 * (number + 1), f"calls of {victim.name}", deadline_s=90)
            victim.kill()
        wait_until(lambda: listening(web_port), "the web service", deadline_s=60)
        for number in range(5):
            get(web_port, f"/plain/{number}")
            get(web_port, f"/stream/{number}")
        web.send_signal(signal.SIGTERM)
        web.wait()
        assert hard.wait(120) == 0
        assert forking.wait(120) == 0
        assert store.number("SELECT count() FROM usage") == 0

        while time.monotonic() - away_since < COLLECTOR_AWAY_S:
            time.sleep(0.5)
        gateway.start()
        answered = len(survivor.answered)
        wait_until(lambda: len(survivor.answered) > answered + 20, "calls after the Collector is back")
        survivor.send_signal(signal.SIGTERM)
        survivor.wait()

    drained = tokentrail("journal", "ship", "--dir", str(journal), "--endpoint", f"{gateway.otlp_http_url}/v1/logs")
    assert drained.returncode == 0, drained.stdout + drained.stderr
    everybody = [survivor, *victims, hard, forking, web]
    said: Answered = {operation_id: tokens for service in everybody for operation_id, tokens in service.answered.items()}
    assert len(said) > 150
    wait_until(lambda: said.keys() <= ledger(store).keys(), "everything in ClickHouse", deadline_s=60)
    held = ledger(store)
    assert {operation_id: held[operation_id] for operation_id in said} == {operation_id: (1, *tokens) for operation_id, tokens in said.items()}
    streams = [operation_id for operation_id in held if operation_id.startswith("web-stream-")]
    assert [held[operation_id] for operation_id in streams] == [(1, 44, 50)] * 5
    # of each killed process the call in flight may be there too, once
    in_flight = {operation_id: row for operation_id, row in held.items() if operation_id not in said and operation_id not in streams}
    assert len(in_flight) <= len(victims) + 1
    assert all(row[0] == 1 for row in in_flight.values())
    assert not list(journal.glob("*/*.journal"))

    dsn = f"{store.url}/tokentrail"
    proof = tokentrail("verify", "--dsn", dsn, "--all", "--json")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    writers = json.loads(proof.stdout)["writers"]
    assert len(writers) == 3 + 1 + 1 + 4 + 1  # the forking one and its three children
    assert {writer["state"] for writer in writers} == {"complete"}

    removed = store.query("SELECT writer_id, seq FROM usage ORDER BY writer_id, seq LIMIT 1 OFFSET 7")[0]
    store.query(f"ALTER TABLE usage_ledger DELETE WHERE writer_id = '{removed[0]}' AND seq = {removed[1]} SETTINGS mutations_sync = 2")
    found = tokentrail("verify", "--dsn", dsn, "--json")
    assert found.returncode == 1
    lost = [writer for writer in json.loads(found.stdout)["writers"] if writer["state"] != "complete"]
    assert [(writer["writer_id"], writer["lost_calls"]) for writer in lost] == [(removed[0], removed[1])]


def listening(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/")
        connection.getresponse()
    except OSError:
        return False
    return True
