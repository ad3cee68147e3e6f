"""Each test begins and ends without hooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tokentrail.instrumentation import uninstrument
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Usages, collect_usages


@pytest.fixture(autouse=True)
def no_hooks() -> Iterator[None]:
    uninstrument()
    with Runtime(current.settings.with_(estimate=False)).in_place():
        yield
    uninstrument()


@pytest.fixture
def usages() -> Iterator[Usages]:
    with collect_usages() as collected:
        yield collected
