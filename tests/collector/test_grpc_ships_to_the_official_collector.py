"""The shipper over OTLP/gRPC and the official Collector: nothing is lost when the Collector is killed, and its own limit of a request is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import World
from tests.support.journal import Program, append, environment, parse_numbers, writer
from tests.support.waiting import wait_until
from tokentrail.journal.exporter import exporter_for
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings

ARRIVED = (
    "SELECT uniqExact(LogAttributes['tokentrail.writer.id'], LogAttributes['tokentrail.seq']) FROM usage_landing"
    " WHERE LogAttributes['tokentrail.event'] = 'usage'"
)


@pytest.fixture
def started() -> Iterator[list[Program]]:
    programs: list[Program] = []
    yield programs
    for program in programs:
        program.kill()


def test_a_killed_collector_loses_nothing(world: World, tmp_path: Path, started: list[Program]) -> None:
    store = world.store()
    gateway = world.gateway(store)
    variables = environment(tmp_path / "journal", gateway.otlp_grpc, protocol="grpc", insecure="true", exit_timeout=20)
    started.append(Program("from tests.support.journal_load import spend; spend(threads=2, calls=1500)", variables))
    wait_until(lambda: len(started[0].lines) > 300, "the first calls", every_s=0.01)
    gateway.kill()
    gateway.start()
    assert started[0].end(120) == 0, started[0].errors
    expected = sum(map(len, parse_numbers(started[0].lines).values()))
    assert expected == 3000
    program = Program(f"import sys; sys.argv = {['tokentrail', 'journal', 'ship']!r}; from tokentrail.cli import main; main()", variables)
    started.append(program)
    assert program.end(60) == 0, program.errors
    wait_until(lambda: store.number(ARRIVED) == expected, "all records in ClickHouse")


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_its_limit_of_a_request_is_found(world: World, tmp_path: Path, compression: str) -> None:
    store = world.store()
    gateway = world.gateway(store, overrides=("receivers::otlp::protocols::grpc::max_recv_msg_size_mib: 1",))
    service = writer(tmp_path / "journal")
    append(service, 400, metadata='{"text": "' + "m" * 6_000 + '"}')
    exporter = exporter_for(Settings(endpoint=f"http://{gateway.otlp_grpc}", protocol="grpc", compression=compression))
    said: list[Any] = []

    class Listens:
        max_request_bytes = exporter.max_request_bytes

        def send(self, body: bytes) -> Any:
            said.append(exporter.send(body))
            return said[-1]

    assert Shipper(tmp_path / "journal", Listens(), wait=lambda _seconds, _asked: False).ship_folder(service.folder, live=True).done
    assert any("RESOURCE_EXHAUSTED" in outcome.reason for outcome in said)
    wait_until(lambda: store.number(ARRIVED) == 400, "all records in ClickHouse")
    exporter.close()
