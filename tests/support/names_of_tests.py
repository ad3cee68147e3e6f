"""How a test is named after its arguments, beyond pytest's own rules."""

from __future__ import annotations


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed bytes hold the second in which they were packed, and workers that find different names run nothing."""
    return argname if isinstance(val, bytes | bytearray) else None
