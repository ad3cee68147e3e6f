"""Each test begins and ends without hooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tokentrail import settings
from tokentrail.instrumentation.registry import uninstrument
from tokentrail.testing import Usages, collect_usages


@pytest.fixture(autouse=True)
def no_hooks() -> Iterator[None]:
    uninstrument()
    before = settings.current()
    settings.configure(estimate=False)
    yield
    uninstrument()
    settings.configure(estimate=before.estimate)


@pytest.fixture
def usages() -> Iterator[Usages]:
    with collect_usages() as collected:
        yield collected
