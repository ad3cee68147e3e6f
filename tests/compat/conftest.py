"""Usages of the test's own, as the other tests of calls have them."""

from __future__ import annotations

from tests.core.conftest import configure, runtime, tokentrail_usages

__all__ = ["configure", "runtime", "tokentrail_usages"]
