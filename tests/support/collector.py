"""The real Collector in tests: `collector_binary` builds it once, `start_gateway` and `start_agent` run it with the files that SREs deploy."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.require import require
from tests.support.store import Store
from tokentrail.local import collector
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import Child
from tokentrail.local.collector import Collector


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    built = collector.obtain(Progress(print))
    if isinstance(built, Unavailable):
        require("collector", str(built))
    return built.program


def start_gateway(binary: Path, clickhouse_url: str, folder: Path, *, overrides: tuple[str, ...] = (), **settings: str) -> Collector:
    """Start the gateway on free ports. `settings` are the README's variables without prefix; `overrides` are merged over the file."""
    return collector.run(binary, "gateway", folder=folder, settings={"CLICKHOUSE": clickhouse_url} | settings, overrides=overrides)


def start_agent(binary: Path, gateway_grpc: str, folder: Path, *, overrides: tuple[str, ...] = (), **settings: str) -> Collector:
    """Start the agent on free ports, handing over to the gateway at host:port."""
    return collector.run(binary, "agent", folder=folder, settings={"GATEWAY": gateway_grpc} | settings, overrides=overrides)


class World:
    """Stores and Collectors of one test, all on free ports and in the test's own folder; whatever still runs at its end is killed."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._running: list[Child | Store] = []

    def store(self, *, started: bool = True) -> Store:
        store = Store(self._folder / "clickhouse", log=self._folder / "clickhouse.log")
        self._running.append(store)
        if started:
            store.start()
        return store

    def gateway(self, store: Store, *, overrides: tuple[str, ...] = (), **settings: str) -> Collector:
        return self._kept(start_gateway(self._binary, store.url, self._folder / "gateway", overrides=overrides, **settings))

    def agent(self, gateway: Collector, *, overrides: tuple[str, ...] = (), **settings: str) -> Collector:
        return self._kept(start_agent(self._binary, gateway.otlp_grpc, self._folder / "agent", overrides=overrides, **settings))

    def end(self) -> None:
        for child in reversed(self._running):
            child.kill()

    def _kept(self, started: Collector) -> Collector:
        self._running.append(started)
        return started


@pytest.fixture
def world(collector_binary: Path, tmp_path: Path) -> Iterator[World]:
    here = World(collector_binary, tmp_path)
    yield here
    here.end()


def own_metric(running: Collector, name: str, exporter: str, data_type: str = "logs") -> float:
    """Return one value of the Collector's own Prometheus metrics, e.g. otelcol_exporter_queue_size; 0 where it has not been counted yet."""
    address = urlsplit(running.metrics_url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=10)
    try:
        connection.request("GET", address.path)
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    for line in text.splitlines():
        labelled, _, value = line.rpartition(" ")
        if (
            labelled.startswith(f"{name}{{")
            and f'exporter="{exporter}"' in labelled
            and (f'data_type="{data_type}"' in labelled or "data_type" not in labelled)
        ):
            return float(value)
    return 0.0
