"""Checks whether the bridge takes the calls that only other instrumentations see: in this interpreter, and in ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail.doctor.finding import Finding
from tokentrail.process.current import current

__all__ = ["check_bridge"]

WHAT = "bridge"


def check_bridge() -> Iterator[Finding]:
    """Yields the finding on the bridge of this interpreter."""
    if current.runtime.witness is not None:
        yield Finding(WHAT, "ok", "tokentrail.bridge is installed: calls that only other instrumentations see are taken, once")
    else:
        yield Finding(
            WHAT,
            "note",
            "nothing installs tokentrail.bridge before the program's first line: until tokentrail.bridge.install() is called, calls that only other "
            "instrumentations see are not counted",
        )
