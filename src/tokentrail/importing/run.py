"""The way of all records that are imported: counted, compared with the ledger, sent through a journal of this process, like a service's own.

Interrupted at any moment, nothing is half done: records in the journal arrive later, by whatever process adopts the journal, and a second run takes
the rest, because a record's key does not depend on the run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.importing.known import known
from tokentrail.importing.record import NotTaken, Record, usage_of
from tokentrail.journal.process import Journal
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.recording.delivery import Texts
from tokentrail.settings import Settings
from tokentrail.telemetry.resource import resource_attributes
from tokentrail.usage import Usage

__all__ = ["Done", "StoppedError", "run"]

TOGETHER: Final = 4_000
"""Records that are compared with the ledger together: each query reads the hashes of many other keys too."""
AHEAD: Final = 20_000
"""Records that may wait in the journal: a journal has a bound, and refuses what is beyond it."""
MOST_SEEN: Final = 2_000_000
MOST_SERVICES: Final = 64
"""Journals that are open at once: each has a thread and a file."""

Row = Record | NotTaken


class StoppedError(Exception):
    """The import cannot go on, and why, in one sentence."""


@dataclass(slots=True)
class Done:
    """What came of an import. `read` = `taken` + `left` + `unsent`; `taken` = `new` + `had` + `differing`; tokens are of new records."""

    read: int = 0
    new: int = 0
    had: int = 0
    differing: int = 0
    repeated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def taken(self) -> int:
        """The number of rows that are calls."""
        return self.new + self.had + self.differing

    @property
    def left(self) -> int:
        """The number of rows that are not taken."""
        return self.reasons.total() + self.faults.total() + self.repeated

    @property
    def unsent(self) -> int:
        """The number of rows that were read before the import stopped, and wait for the next run."""
        return self.read - self.taken - self.left

    def leave(self, row: NotTaken) -> None:
        """Counts a row that is not taken."""
        (self.faults if row.fault else self.reasons)[row.reason] += 1

    def add(self, usage: Usage) -> None:
        """Counts a new record."""
        self.new += 1
        self.input_tokens += usage.input_tokens or 0
        self.output_tokens += usage.output_tokens or 0

    def as_dict(self) -> dict[str, Any]:
        """Returns all numbers, for programs."""
        return {
            "read": self.read,
            "taken": self.taken,
            "new": self.new,
            "already_there": self.had,
            "other_counts": self.differing,
            "not_taken": self.left,
            "repeated": self.repeated,
            "unsent": self.unsent,
            "reasons": dict(self.reasons),
            "malformed": dict(self.faults),
            "notes": dict(self.notes),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }


class Sender:
    """The journals of an import, one a service. `patience`: seconds to wait for the Collector before the import stops."""

    def __init__(self, settings: Settings, patience: float) -> None:
        self._settings = settings
        self._patience = patience
        self._journals: dict[str, Journal] = {}
        self._waiting = 0
        self._diagnostics = Diagnostics()

    def send(self, usage: Usage, service: str) -> None:
        """Appends a usage to the journal of its service. Raises `StoppedError` where the journal takes no more."""
        if self._journal(service).append(usage) <= 0:
            raise StoppedError(
                f"the journal {self._settings.journal_dir} is full, or its disk is: what is in it is sent once the Collector takes it; "
                "then run the import again, which goes on where it stopped"
            )
        self._waiting += 1
        if self._waiting >= AHEAD:
            self.wait()

    def wait(self) -> None:
        """Waits until all is acknowledged. Raises `StoppedError` if it is not, for so many seconds."""
        deadline = time.monotonic() + self._patience
        if not all(journal.flush(max(0.0, deadline - time.monotonic())) for journal in self._journals.values()):
            raise StoppedError(
                f"the Collector has not acknowledged everything within {self._patience:.0f} s: the rest waits in the journal "
                f"{self._settings.journal_dir}, and `tokentrail journal ship` sends it; then run the import again, which goes on where it stopped"
            )
        self._waiting = 0

    def close(self) -> None:
        """Ends the journals, with their closing records. What the Collector does not take in time, another process ships."""
        deadline = time.monotonic() + self._settings.exit_timeout
        with ThreadPoolExecutor(MOST_SERVICES) as threads:
            list(threads.map(lambda journal: journal.close(deadline), self._journals.values()))

    def _journal(self, service: str) -> Journal:
        if service not in self._journals:
            if len(self._journals) >= MOST_SERVICES:
                self.wait()
                self._journals.pop(next(iter(self._journals))).close(time.monotonic() + self._settings.exit_timeout)
            settings = self._settings.with_(service_name=service) if service else self._settings
            diagnostics = self._diagnostics
            self._journals[service] = Journal(settings, lambda given: resource_attributes(given, diagnostics), _no_estimate, diagnostics)
        return self._journals[service]


def _no_estimate(usage: Usage, texts: Texts, append: Callable[[Usage], None], settle: Callable[[], None]) -> None:  # noqa: ARG001 - the protocol's
    raise AssertionError("an imported record has no texts")


def run(rows: Iterable[Row], done: Done, *, ledger: Client | None, sender: Sender | None, tick: Callable[[], object] = lambda: None) -> None:
    """Takes all rows. Without a `sender` nothing is sent (a dry run); without a `ledger` each record counts as new. `done` is filled meanwhile.

    Raises `StoppedError`, and whatever reading the rows raises. The caller closes the sender.
    """
    seen: set[int] = set()
    for batch in _batches(rows, done, seen, tick):
        there = known(ledger, [usage for usage, _service in batch]) if ledger is not None else {}
        for usage, service in sorted(batch, key=itemgetter(1)):  # a service's records together: there are only so many journals
            counts = there.get(usage.key)
            if counts == (usage.input_tokens, usage.output_tokens):
                done.had += 1
                continue
            if sender is not None:
                sender.send(usage, service)
            if counts is None:
                done.add(usage)
            else:  # sent nevertheless: a better source of the same key counts, and what contradicts is shown
                done.differing += 1
    if sender is not None:
        sender.wait()


def _batches(rows: Iterable[Row], done: Done, seen: set[int], tick: Callable[[], object]) -> Iterator[Sequence[tuple[Usage, str]]]:
    batch: list[tuple[Usage, str]] = []
    for row in rows:
        done.read += 1
        tick()
        if isinstance(row, NotTaken):
            done.leave(row)
            continue
        mark = hash(row.key.text)
        if mark in seen:
            done.repeated += 1
            continue
        if len(seen) < MOST_SEEN:
            seen.add(mark)
        done.notes.update(row.notes)
        batch.append((usage_of(row), row.service))
        if len(batch) >= TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch
