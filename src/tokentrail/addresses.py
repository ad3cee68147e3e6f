"""Addresses in sentences: without user and password, which must not appear on a screen or in a log."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["bare"]

_CREDENTIALS: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)?.*@", re.IGNORECASE | re.DOTALL)


def bare(address: str) -> str:
    """Returns the address with `…` in place of user and password, up to the last `@`: a password may hold slashes that are not encoded."""
    return _CREDENTIALS.sub(lambda found: f"{found[1] or ''}…@", address)
