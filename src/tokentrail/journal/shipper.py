"""From folder to Collector: send what waits, advance only on full acceptance, adopt what the dead left."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tokentrail.journal import folder as layout
from tokentrail.journal.aside import put_aside
from tokentrail.journal.exporter import Answer, Outcome
from tokentrail.journal.frames import frame
from tokentrail.journal.otlp import request
from tokentrail.journal.reader import Found, read, summarize
from tokentrail.journal.records import Header, encode
from tokentrail.retry import RetryPolicy
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["Progress", "Shipper"]

MAX_REQUEST_BYTES: Final = 3_000_000
"""Of a request before compression: the Collector's own limit for gRPC between agent and gateway is 4 MB."""
MAX_REQUEST_RECORDS: Final = 2_000
OTLP_OVERHEAD: Final = 1_200
"""Bytes that a record grows by as OTLP: attribute names instead of field names."""
PATIENCE: Final = 3
"""Refusals of the same records before they are halved or, alone, put aside."""


class Sends(Protocol):
    """What the shipper needs of an exporter."""

    def send(self, body: bytes, /) -> Outcome:
        """Send one request; never raises."""
        ...


@dataclass(slots=True)
class Progress:
    """What one pass did."""

    shipped: int = 0
    aside: int = 0
    adopted: int = 0
    done: bool = True  # nothing waits any more in what was looked at
    reason: str = ""


@dataclass(slots=True)
class _Batch:
    found: list[Found]
    header: Header
    after: layout.Cursor  # acknowledges the batch, and damage or headers before it

    def records(self) -> Iterator[tuple[int, Usage | Refused | Closing]]:
        for found in self.found:
            if found.record is not None and not isinstance(found.record, Header):
                yield found.number, found.record

    def half(self) -> _Batch:
        kept = self.found[: max(1, len(self.found) // 2)]
        return _Batch(kept, self.header, kept[-1].after)


class Shipper:
    """Ships folders of one journal. `wait(seconds)` pauses between tries and returns true when it is time to stop."""

    def __init__(
        self,
        root: Path,
        exporter: Sends,
        *,
        wait: Callable[[float], bool] | None = None,
        complain: Callable[[str], None] = lambda _sentence: None,
        policy: RetryPolicy | None = None,
        own_id: str = "",
    ) -> None:
        self.root = root
        self._exporter = exporter
        self._wait = wait or _sleep
        self._complain = complain
        self._policy = policy or RetryPolicy()
        self._own_id = own_id
        self._most = MAX_REQUEST_RECORDS
        self._damage_told: set[tuple[str, str, int]] = set()

    def ship_folder(self, folder: Path, *, live: bool, patient: bool = True) -> Progress:
        """Send all that waits in a folder whose `shipping` lock the caller holds. Not patient: stop at the first failure."""
        progress = Progress()
        cursor = layout.load_cursor(folder)
        header: Header | None = None
        failures = 0
        while True:
            batch = self._next_batch(folder, cursor, header, live=live)
            if batch is None:
                return progress
            header = batch.header
            while batch.found:
                outcome = self._send(batch)
                if outcome.answer is Answer.ACCEPTED:
                    break
                failures += 1
                progress.reason = outcome.reason
                if failures >= PATIENCE and outcome.answer in (Answer.BUSY, Answer.REFUSED) and len(batch.found) > 1:
                    # a request larger than the Collector's queue is answered 503 for ever, and one bad record spoils its batch
                    batch = batch.half()
                    self._most = max(1, len(batch.found))
                    failures = PATIENCE - 1
                elif failures >= PATIENCE and outcome.answer is Answer.REFUSED:
                    self._put_aside(batch, outcome)
                    progress.aside += 1
                    break
                elif not patient:
                    progress.done = False
                    return progress
                if self._pause(failures, outcome):
                    progress.done = False
                    return progress
            else:
                outcome = Outcome(Answer.ACCEPTED)
            if outcome.answer is Answer.ACCEPTED:
                progress.shipped += sum(found.number > 0 for found in batch.found)
                self._most = min(MAX_REQUEST_RECORDS, self._most * 2)
            failures = 0
            cursor = batch.after
            layout.store_cursor(folder, cursor)
            self._remove_before(folder, cursor)

    def _pause(self, failures: int, outcome: Outcome) -> bool:
        delay = self._policy.next_delay(failures, outcome.retry_after) if outcome.answer is not Answer.REFUSED else 0.05
        if failures in (1, 10) and outcome.answer is not Answer.AWAY:
            self._complain(f"{outcome.reason}; records stay in the journal and are sent again")
        return self._wait(delay)

    def _send(self, batch: _Batch) -> Outcome:
        return self._exporter.send(request(batch.header, batch.records()))

    def _put_aside(self, batch: _Batch, outcome: Outcome) -> None:
        found = batch.found[0]
        path = put_aside(self.root, batch.header, found.number, encode(found.record), outcome.reason)
        self._complain(f"record {found.number} of writer {batch.header.writer_id} was put aside in {path}: {outcome.reason}")

    def _next_batch(self, folder: Path, cursor: layout.Cursor, header: Header | None, *, live: bool) -> _Batch | None:
        if header is None:
            header = _first_header(folder)
        taken: list[Found] = []
        after = cursor
        size = 0
        for found in read(folder, cursor, live=live):
            if found.record is None:
                self._tell_damage(folder, found)
            elif isinstance(found.record, Header):
                header = found.record
            else:
                size += found.size + OTLP_OVERHEAD
                if taken and (size > MAX_REQUEST_BYTES or len(taken) >= self._most):
                    break
                taken.append(found)
            after = found.after
        if after == cursor:
            return None
        return _Batch(taken, header, after)

    def _tell_damage(self, folder: Path, found: Found) -> None:
        place = (folder.name, found.after.segment, found.after.offset)
        if place not in self._damage_told:
            self._damage_told.add(place)
            self._complain(f"{found.damaged_bytes} torn bytes in {folder / found.after.segment} before offset {found.after.offset} were skipped")

    def _remove_before(self, folder: Path, cursor: layout.Cursor) -> None:
        for path in layout.segments(folder):
            if path.name >= cursor.segment:
                return
            with contextlib.suppress(OSError):
                path.unlink()

    def adopt_dead(self, *, patient: bool = True) -> Progress:
        """Close and ship the folders of all dead writers that nobody else ships."""
        total = Progress()
        for folder in layout.writer_folders(self.root):
            if folder.name == self._own_id:
                continue
            try:
                progress = self.adopt(folder, patient=patient)
            except OSError as error:
                self._complain(f"the journal {folder} cannot be adopted: {error}")
                total.done = False
                continue
            if progress is None:
                continue
            total.adopted += 1
            total.shipped += progress.shipped
            total.aside += progress.aside
            if not progress.done:
                total.done, total.reason = False, progress.reason
                break
        return total

    def adopt(self, folder: Path, *, patient: bool = True) -> Progress | None:
        """Close and ship one dead writer's folder, and remove it. `None` if its writer lives or somebody else is at it."""
        alive = layout.Lock.take(folder / layout.ALIVE)
        if alive is None:
            return None
        shipping = layout.Lock.take(folder / layout.SHIPPING)
        try:
            if shipping is None or not self._close_for_the_dead(folder):
                return None
            progress = self.ship_folder(folder, live=False, patient=patient)
            if progress.done:
                remove(folder)
            return progress
        finally:
            alive.close()
            if shipping is not None:
                shipping.close()

    def _close_for_the_dead(self, folder: Path) -> bool:
        """Append the closing record that the writer could not write. False for a folder that a newer tokentrail wrote."""
        summary = summarize(folder)
        if not summary.readable:
            self._complain(f"the journal {folder} was written by a newer tokentrail and is left to it")
            return False
        paths = layout.segments(folder)
        if summary.closed or not paths or summary.last_seq == 0:
            return True
        closing = Closing(last_seq=summary.last_seq, ts=time.time_ns(), closed_by=self._own_id or "adopter", damaged=summary.missing or [])
        with paths[-1].open("ab") as file:
            file.write(frame(0, encode(closing)))
        return True

    def ship_living(self) -> Progress:
        """Ship what living writers have written that do not ship themselves (a sidecar's work)."""
        total = Progress()
        for folder in layout.writer_folders(self.root):
            if folder.name == self._own_id or not layout.is_alive(folder):
                continue
            lock = layout.Lock.take(folder / layout.SHIPPING)
            if lock is None:
                continue
            try:
                progress = self.ship_folder(folder, live=True)
                total.shipped += progress.shipped
                total.aside += progress.aside
            finally:
                lock.close()
        return total


def _first_header(folder: Path) -> Header:
    for found in read(folder, layout.Cursor(), live=False):
        if isinstance(found.record, Header):
            return found.record
    # torn: the records are good without it, only the service's name is lost
    return Header(writer_id=folder.name, created=0, first_seq=0)


def remove(folder: Path) -> None:
    """Remove a writer's folder, the lock last; somebody who looks at it at this moment makes the rest stay for the next pass."""
    for path in [*layout.segments(folder), folder / "cursor", folder / "cursor.new", folder / layout.SHIPPING, folder / layout.ALIVE]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106


def _sleep(seconds: float) -> bool:
    threading.Event().wait(seconds)
    return False
