"""Reports of whose lines tests speak."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tokentrail.bills.access import Patience

REPORTS = Path(__file__).parent / "reports"


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Reads a report in the shape of the provider's documentation."""
    return lambda name: json.loads((REPORTS / name).read_text())


@pytest.fixture
def quick() -> Patience:
    """Attempts that follow each other at once."""
    return Patience(seconds=20, attempts=4, deadline=60, first=0.01)


@pytest.fixture
def utc() -> Callable[..., datetime]:
    return lambda *parts: datetime(*parts, tzinfo=timezone.utc)
