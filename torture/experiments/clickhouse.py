"""ClickHouse is down, slow, full, read-only or without a table, is killed amid inserts, and the Collectors with it: nothing is lost, nothing twice.

An application calls on through agent and gateway, by turns through each of their ports, while the fault lasts.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokentrail.local.collector import Collector
from torture.small_disks import fill, small_disk
from torture.stage import Stage, parsed

ROUNDS = 20
LASTS_S = 2.0
DATA_BYTES = "size=256m"
QUICK = (
    "exporters::clickhouse/ledger::timeout: 3s",
    "exporters::clickhouse/ledger::retry_on_failure::initial_interval: 200ms",
    "exporters::clickhouse/ledger::retry_on_failure::max_interval: 2s",
    "exporters::clickhouse/ledger::sending_queue::batch: {flush_timeout: 50ms, min_size: 10, max_size: 1000}",
    "exporters::clickhouse/ledger_port::timeout: 3s",
    "exporters::clickhouse/ledger_port::sending_queue::batch: {flush_timeout: 50ms, min_size: 10, max_size: 1000}",
)


@dataclass
class Parts:
    """What faults are done to."""

    stage: Stage
    gateway: Collector
    agent: Collector
    disk: Path | None


def run(stage: Stage) -> None:
    """Plays a fault in each round."""
    disk = small_disk(stage, "disk", DATA_BYTES)
    if disk is None:
        stage.outcome.skipped.append("disk full: only root may mount a small disk")
    else:
        stage.data = disk / "data"
    gateway = stage.start_gateway(overrides=QUICK)
    agent = stage.start_agent(gateway)
    parts = Parts(stage, gateway, agent, disk)
    faults = [(name, fault) for name, fault in FAULTS.items() if disk is not None or fault is not disk_full]
    ports = {"agent": agent.otlp_http_url, "gateway": gateway.otlp_http_url, "gateway's port for the ledger": gateway.ledger_http_url}
    for number in stage.numbers(ROUNDS):
        rng = stage.rng(number)
        name, fault = faults[(number - 1) % len(faults)]
        port = list(ports)[(number - 1) // len(faults) % 3] if number > len(faults) else rng.choice(list(ports))
        prefix = f"r{number}-"
        journal, endpoint = stage.folder / f"journal-{number}", f"{ports[port]}/v1/logs"
        arguments = {"name": f"{prefix}a", "threads": 2, "pause": 0.01}
        application = stage.application(f"{prefix}a", journal, endpoint, arguments=arguments, timeout=4.0)
        application.says(rng.randrange(20, 60))
        fault(parts)
        application.says(len(application.lines) + 20)
        application.send_signal(rng.choice((signal.SIGTERM, signal.SIGKILL)))
        application.wait()
        words = stage.drain(journal, endpoint)
        said = parsed(application.lines, prefix)
        rows = stage.settled(said, prefix, deadline_s=120)
        where = f"round {number}, {name}, through the {port}"
        if words:
            stage.outcome.fail(f"{where}: the journal is not drained: {words}")
        stage.outcome.count(said, stage.answered(prefix), rows, where=where, unseen=2)
        landed = stage.store.number(f"SELECT uniqExact(JSONExtractString(Body, 'operation_id')) FROM usage_landing WHERE Body LIKE '%{prefix}a-%'")
        stage.say(f"{where}: {len(said)} answers seen, {len(rows)} rows, {landed} of them in the landing table")
    stage.prove()
    landed, stored = (int(number) for number in stage.store.query("SELECT (SELECT count() FROM usage_landing), (SELECT count() FROM usage)")[0])
    stage.outcome.notes.append(f"{landed:,} records landed, copies included, and are {stored:,} rows")


def down(parts: Parts) -> None:
    """ClickHouse is killed, and comes back."""
    parts.stage.store.kill()
    time.sleep(LASTS_S)
    parts.stage.store.start()


def slow(parts: Parts) -> None:
    """ClickHouse stands still for longer than the Collector waits."""
    parts.stage.store.send_signal(signal.SIGSTOP)
    time.sleep(2 * LASTS_S)
    parts.stage.store.send_signal(signal.SIGCONT)


def disk_full(parts: Parts) -> None:
    """ClickHouse's disk has no byte left."""
    assert parts.disk is not None
    filler = fill(parts.disk)
    time.sleep(LASTS_S)
    filler.unlink()


def read_only(table: str) -> Callable[[Parts], None]:
    """Returns a fault that makes a table read-only."""

    def make_read_only(parts: Parts) -> None:
        parts.stage.store.query(f"ALTER TABLE {table} MODIFY SETTING table_readonly = 1")
        time.sleep(LASTS_S)
        parts.stage.store.query(f"ALTER TABLE {table} MODIFY SETTING table_readonly = 0")

    return make_read_only


def missing(table: str) -> Callable[[Parts], None]:
    """Returns a fault that takes a table away, and brings it back."""

    def take_away(parts: Parts) -> None:
        parts.stage.store.query(f"RENAME TABLE {table} TO {table}_away")
        time.sleep(LASTS_S)
        parts.stage.store.query(f"RENAME TABLE {table}_away TO {table}")

    return take_away


def killed_amid_inserts(parts: Parts) -> None:
    """ClickHouse is killed as soon as rows land, three times."""
    store = parts.stage.store
    for _ in range(3):
        landed = store.number("SELECT count() FROM usage_landing")
        deadline = time.monotonic() + 20
        while store.number("SELECT count() FROM usage_landing") == landed and time.monotonic() < deadline:
            pass
        store.kill()
        store.start()


def killed_with_the_gateway(parts: Parts) -> None:
    """ClickHouse and the gateway are killed at once."""
    parts.stage.store.kill()
    parts.gateway.kill()
    time.sleep(LASTS_S)
    parts.gateway.start()
    parts.stage.store.start()


def killed_with_both_collectors(parts: Parts) -> None:
    """ClickHouse, gateway and agent are killed at once, and come back in another order."""
    parts.gateway.kill()
    parts.stage.store.kill()
    parts.agent.kill()
    parts.agent.start()
    time.sleep(LASTS_S)
    parts.stage.store.start()
    parts.gateway.start()


def agent_killed(parts: Parts) -> None:
    """The agent is killed while ClickHouse is away."""
    parts.stage.store.kill()
    time.sleep(LASTS_S / 2)
    parts.agent.kill()
    parts.agent.start()
    parts.stage.store.start()


FAULTS: dict[str, Callable[[Parts], None]] = {
    "down": down,
    "slow": slow,
    "disk full": disk_full,
    "landing table read-only": read_only("usage_landing"),
    "ledger read-only": read_only("usage_ledger"),
    "landing table missing": missing("usage_landing"),
    "ledger missing": missing("usage_ledger"),
    "deliveries missing": missing("deliveries"),
    "killed amid inserts": killed_amid_inserts,
    "killed with the gateway": killed_with_the_gateway,
    "killed with agent and gateway": killed_with_both_collectors,
    "agent killed while ClickHouse is away": agent_killed,
}
