"""What cannot run here is skipped by name, or fails where it was asked for: `make test REQUIRE="collector local-model"` sets TOKENTRAIL_REQUIRE."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def required(name: str) -> bool:
    """Whether this run must have it."""
    return name in os.environ.get("TOKENTRAIL_REQUIRE", "").replace(",", " ").split()


def require(name: str, reason: str) -> NoReturn:
    """End the test: fail it if `name` is among the required ones, else skip it and say what is missing."""
    if required(name):
        pytest.fail(f"{name} is required, but {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")
