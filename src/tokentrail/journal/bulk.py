"""A shipper for a process that does nothing else: large requests, several under way. A service ships small ones, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tokentrail.journal.exporter import Exporter, exporter_for
from tokentrail.journal.lanes import Lanes
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings

__all__ = ["bulk_shipper"]

WIDTH: Final = 4
RECORDS: Final = 10_000
REQUEST_BYTES: Final = 12_000_000
"""Requests under way, and records and bytes of each: 200 MB of memory while a backlog is sent. A server that takes less is sent halves."""


@contextmanager
def bulk_shipper(root: Path, settings: Settings, **options: Any) -> Iterator[Shipper]:
    """A shipper of the journal `root` with the options of `Shipper`; at the end the requests under way are awaited, and the connections closed."""
    own, *others = (_exporter(settings) for _ in range(1 + WIDTH))
    lanes = Lanes(others)
    try:
        yield Shipper(root, own, lanes=lanes, max_records=RECORDS, **options)
    finally:
        lanes.close()
        for exporter in (own, *others):
            exporter.close()


def _exporter(settings: Settings) -> Any:
    exporter = exporter_for(settings)
    if isinstance(exporter, Exporter):  # a request over gRPC keeps below the 4 MiB of stock servers
        exporter.max_request_bytes = REQUEST_BYTES
    return exporter
