"""Every test here: hooks on, usages collected in memory, nothing estimated, and nothing of ours swallowed without a test noticing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tokentrail
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import ReplayServer, Usages, collect_usages


@pytest.fixture(autouse=True)
def hooks(quick_sdks: None, quick_collections: None) -> Iterator[None]:
    instrument()
    with Runtime(current.settings.with_(estimate=False)).in_place() as runtime:
        yield
    uninstrument()
    assert runtime.diagnostics.internal_errors == {}


@pytest.fixture
def usages() -> Iterator[Usages]:
    with collect_usages() as collected:
        yield collected


@pytest.fixture(scope="module")
def replay() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server


@pytest.fixture
def known_as() -> Any:
    """Say who answers at a port of this machine."""

    def name(port: int, provider: str) -> None:
        tokentrail.configure(provider_hosts={f"127.0.0.1:{port}": provider})

    return name
