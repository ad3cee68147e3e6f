"""The real small model in tests: one server of llama.cpp for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.require import require
from tokentrail.local import local_model as local
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import StartFailed
from tokentrail.local.local_model import LocalModel

OWN_CONNECTIONS: Final = {"Connection": "close"}
"""Headers of a client that repeats no call: after a stream llama.cpp's server sometimes closes the connection while the next call begins on it."""


@pytest.fixture(scope="session")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    installed = local.obtain(Progress(print))
    if isinstance(installed, Unavailable):
        require("local-model", str(installed))
    try:
        running = local.run(installed, folder=tmp_path_factory.mktemp("local-model"))
    except StartFailed as failed:
        require("local-model", str(failed))
    yield running
    running.terminate()
