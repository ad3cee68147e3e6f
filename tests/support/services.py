"""Starting services under test, and what they say of their calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tokentrail.local.child import Child

ROOT = Path(__file__).resolve().parents[2]

Answered = dict[str, tuple[int, int]]


class Service(Child):
    """A running `tests.support.service`, that tells its calls on standard output; its errors are apart."""

    def __init__(self, mode: str, name: str, *, calls: int = 0, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.support.service", mode, name, str(calls)]
        super().__init__(name, command, folder=ROOT, environment=os.environ | environment, errors_apart=True)
        self.start()

    @property
    def answered(self) -> Answered:
        """Every call that has returned to the service: operation id -> input and output tokens."""
        told = (line.split() for line in self.lines)
        return {operation_id: (int(tokens_in), int(tokens_out)) for operation_id, tokens_in, tokens_out in told}


class StartService(Protocol):
    """What the fixture `services` gives."""

    def __call__(self, mode: str, name: str, *, calls: int = 0, environment: dict[str, str]) -> Service: ...


@pytest.fixture
def services() -> Iterator[StartService]:
    """Start services; those that still run at the end are killed."""
    started: list[Service] = []

    def start(mode: str, name: str, *, calls: int = 0, environment: dict[str, str]) -> Service:
        started.append(Service(mode, name, calls=calls, environment=environment))
        return started[-1]

    yield start
    for service in started:
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
