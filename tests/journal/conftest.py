from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.journal import Program, programs
from tests.support.otlp_receiver import Otlp


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def otlp() -> Iterator[Otlp]:
    with Otlp() as receiver:
        yield receiver


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    with programs() as starter:
        yield starter
