"""Every test here: hooks on, usages collected in memory, nothing estimated, and nothing of ours swallowed without a test noticing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tokentrail import finisher, ledger, settings
from tokentrail.instrumentation import instrument, uninstrument
from tokentrail.testing import ReplayServer, Usages, collect_usages


@pytest.fixture(autouse=True)
def hooks(quick_sdks: None) -> Iterator[None]:
    before = settings.current()
    settings.configure(estimate=False, provider_hosts={}, include_usage=True, disabled=False)
    ledger.internal_errors.clear()  # what other tests made it swallow
    instrument()
    yield
    uninstrument()
    settings.configure(**{name: getattr(before, name) for name in ("estimate", "provider_hosts", "include_usage", "disabled")})
    assert dict(ledger.internal_errors) == {}


@pytest.fixture
def usages() -> Iterator[Usages]:
    gc.collect()  # a stream that an earlier test has left is recorded now, and not among this test's usages
    finisher.drain(5)
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
        settings.configure(provider_hosts={f"127.0.0.1:{port}": provider})

    return name
