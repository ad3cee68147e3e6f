"""A shipper for a process that does nothing else: large requests, several under way. A service ships small ones, one after the other."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from tokentrail.journal.exporter import Exporter, Outcome, exporter_for
from tokentrail.journal.sends import Sends
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings

__all__ = ["ThreadLanes", "bulk_shipper"]

WIDTH: Final = 6
RECORDS: Final = 8_000
REQUEST_BYTES: Final = 10_000_000
"""Requests under way, and records and bytes of each: 250 MB of memory while a backlog is sent. A server that takes less is sent halves."""


class ThreadLanes:
    """Several exporters in turn, each with a thread of its own, which runs in the context of the thread that made the lanes."""

    def __init__(self, exporters: Sequence[Sends]) -> None:
        self.width = len(exporters)
        context = contextvars.copy_context()
        self._threads = [
            ThreadPoolExecutor(1, "tokentrail-ship", lambda: [variable.set(value) for variable, value in context.items()]) for _ in exporters
        ]
        self._turns = cycle(zip(exporters, self._threads, strict=True))

    def start(self, body: bytes) -> Future[Outcome]:
        """Begins to send one request."""
        exporter, thread = next(self._turns)
        return thread.submit(exporter.send, body)

    def close(self) -> None:
        """Ends the threads after the requests under way."""
        for thread in self._threads:
            thread.shutdown()


@contextmanager
def bulk_shipper(root: Path, settings: Settings, **options: Any) -> Iterator[Shipper]:
    """A shipper of the journal `root` with the options of `Shipper`; at the end the requests under way are awaited, and the connections closed."""
    own, *others = (_exporter(settings) for _ in range(1 + WIDTH))
    lanes = ThreadLanes(others)
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
