"""Starting services under test, and what they say of their calls."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parents[2]

Answered = dict[str, tuple[int, int]]


class Service:
    """A running `tests.support.service`. `answered` has every call that has returned to it: operation id -> input and output tokens."""

    def __init__(self, mode: str, name: str, *, calls: int = 0, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.answered: Answered = {}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.service", mode, name, str(calls)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            operation_id, tokens_in, tokens_out = line.split()
            self.answered[operation_id] = (int(tokens_in), int(tokens_out))

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.finished()

    def finished(self, timeout: float = 120.0) -> int:
        """Wait for its end and for all that it said."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code


class StartService(Protocol):
    """What the fixture `services` gives."""

    def __call__(self, mode: str, name: str, *, calls: int = 0, environment: dict[str, str]) -> Service: ...


@pytest.fixture
def services(tmp_path: Path) -> Iterator[StartService]:
    """Start services whose errors go to a file in the test's folder; whatever still runs at the end is killed."""
    started: list[Service] = []

    def start(mode: str, name: str, *, calls: int = 0, environment: dict[str, str]) -> Service:
        started.append(Service(mode, name, calls=calls, environment=environment, log=tmp_path / f"{name}.log"))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()


def environment_for(*, replay_url: str, replay_port: int, otlp: str, journal: Path) -> dict[str, str]:
    """Everything that a service needs to know, by the variables that a user would set."""
    return {
        "OPENAI_BASE_URL": replay_url,
        "OPENAI_API_KEY": "sk-planted-key-0123456789",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
        "OTEL_SERVICE_NAME": "service-under-test",
        "TOKENTRAIL_JOURNAL_DIR": str(journal),
        "TOKENTRAIL_PROVIDER_HOSTS": f"127.0.0.1:{replay_port}=openai",
        "TOKENTRAIL_SHIP_INTERVAL": "0.2",
        "TOKENTRAIL_ADOPT_INTERVAL": "1",
    }
