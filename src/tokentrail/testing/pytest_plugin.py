"""Two pytest fixtures. pytest loads this module in every run, so tokentrail is imported only when a test uses a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tokentrail.testing.replay import ReplayServer
    from tokentrail.testing.usages import Usages


@pytest.fixture
def tokentrail_usages() -> Iterator[Usages]:
    """The usages that are recorded during the test: `len(…)`, `[0]`, `.input_tokens`, `.by("tenant_id")`, `.wait_for(2)`.

    No usage is written to a journal or sent.
    """
    from tokentrail.testing.usages import collect_usages  # noqa: PLC0415 - see the module's docstring

    with collect_usages() as usages:
        yield usages


@pytest.fixture(scope="session")
def tokentrail_replay() -> Iterator[ReplayServer]:
    """A server of recorded provider answers: `OpenAI(base_url=tokentrail_replay.url("openai"), api_key="none")`."""
    from tokentrail.testing.replay import ReplayServer  # noqa: PLC0415 - see the module's docstring

    with ReplayServer() as server:
        yield server
