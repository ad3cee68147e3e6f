from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """One server for all tests that do no harm to it; each makes tables of its own."""
    with ServerProcess.started(tmp_path_factory.mktemp("embedded")) as process:
        yield process.addresses


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Servers of one test's own; whatever still runs at its end is killed."""
    started: list[ServerProcess] = []

    def start_one(data: Path = tmp_path / "data", **options: int) -> ServerProcess:
        started.append(ServerProcess.started(data, **options))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
