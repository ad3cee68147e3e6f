"""Addresses in sentences: without user and password, which nobody who reads a screen or a log is to learn."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["bare"]

_CREDENTIALS: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)?.*@", re.IGNORECASE | re.DOTALL)


def bare(address: str) -> str:
    """The address with a sign in place of its user and password, up to the last `@`: a password may hold slashes that nobody has encoded."""
    return _CREDENTIALS.sub(lambda found: f"{found[1] or ''}…@", address)
