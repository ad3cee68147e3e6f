"""Requests side by side: while the Collector works on one, the shipper prepares the next."""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from typing import Protocol

from tokentrail.journal.exporter import Outcome

__all__ = ["Lanes", "OneLane", "Sends"]


class Sends(Protocol):
    """The parts of an exporter that the shipper uses. `max_request_bytes`: size of a request before compression."""

    max_request_bytes: int

    def send(self, body: bytes, /) -> Outcome:
        """Sends one request; never raises."""
        ...


class OneLane:
    """One exporter, used by the caller's thread."""

    width = 1

    def __init__(self, exporter: Sends) -> None:
        self._exporter = exporter

    def start(self, body: bytes) -> Future[Outcome]:
        """Sends one request. Returns the outcome, which is there already."""
        done: Future[Outcome] = Future()
        done.set_result(self._exporter.send(body))
        return done


class Lanes:
    """Several exporters in turn, each with a thread of its own, which runs in the context of the thread that made the lanes."""

    def __init__(self, exporters: Sequence[Sends]) -> None:
        self.width = len(exporters)
        context = contextvars.copy_context()
        self._threads = [
            ThreadPoolExecutor(1, "tokentrail-ship", lambda: [variable.set(value) for variable, value in context.items()]) for _ in exporters
        ]
        self._turns = cycle(zip(exporters, self._threads, strict=True))

    def start(self, body: bytes) -> Future[Outcome]:
        """Begins to send one request. Returns the outcome to come."""
        exporter, thread = next(self._turns)
        return thread.submit(exporter.send, body)

    def close(self) -> None:
        """Ends the threads after the requests under way."""
        for thread in self._threads:
            thread.shutdown()
