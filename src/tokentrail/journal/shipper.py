"""From folder to Collector: send what waits, and advance only on full acceptance."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal import otlp
from tokentrail.journal.aside import put_aside
from tokentrail.journal.exporter import Outcome, Result
from tokentrail.journal.reader import Found, header_of, read
from tokentrail.journal.records import Header, encode, gaps
from tokentrail.journal.refusals import load_refused
from tokentrail.journal.volume import reason
from tokentrail.retry import RetryPolicy
from tokentrail.usage import Closing, Refused

__all__ = ["Progress", "Sends", "Shipper"]

MAX_REQUEST_BYTES: Final = 3_000_000
"""Of a request before compression: the Collector's own limit for gRPC between agent and gateway is 4 MB."""
MAX_REQUEST_RECORDS: Final = 2_000
PATIENCE: Final = 3
"""Refusals of the same records before they are halved or, alone, put aside."""
REFUSED_DELAY: Final = 0.05
"""Seconds before refused records are tried again: the server is there, so there is nothing to wait for."""
GROW_AFTER: Final = 32
"""Accepted requests in a row before a limit that was found by halving is tried again."""
IMPATIENT_SECONDS: Final = 5.0
"""A longer Retry-After is not waited for where the shipper is not patient."""
LOG_AFTER_FAILURES: Final = 5
"""Failures in a row before an absent Collector is spoken of: some eight seconds."""
BUSY_TOLD: Final = (1, 10)


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
    damaged: bool = False  # the closing record told of numbers that cannot be read
    done: bool = True  # nothing waits any more in what was looked at
    reason: str = ""

    def add(self, other: Progress) -> None:
        """Count another pass in."""
        self.shipped += other.shipped
        self.aside += other.aside
        self.adopted += other.adopted
        self.damaged |= other.damaged
        if not other.done:
            self.done, self.reason = False, other.reason


class _Ready(msgspec.Struct, frozen=True):
    """A record as it is sent; an empty `body` is damage or a file's header, which is only passed by."""

    number: int
    body: bytes
    after: layout.Cursor
    payload: bytes = b""


class Shipper:
    """Ships folders of one journal; used by one thread.

    `wait(seconds, asked)` pauses between tries and returns true when it is time to stop; `asked` says that the server asked for the pause.
    """

    def __init__(
        self,
        root: Path,
        exporter: Sends,
        *,
        wait: Callable[[float, bool], bool] | None = None,
        complain: Callable[[str], None] = lambda _sentence: None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.root = root
        self.complain = complain
        self._exporter = exporter
        self._wait = wait or _sleep
        self._policy = policy or RetryPolicy()
        self._most = MAX_REQUEST_RECORDS
        self._passes = 0  # so many records in one request were taken, before more were tried
        self._before_refusal = 0  # the limit to go back to once a bad record is found
        self._accepted_in_a_row = 0
        self._taken_since_aside = False
        self._known: dict[Path, layout.Cursor] = {}
        self.damaged_bytes = 0
        self._logged_damage: set[tuple[str, str, int]] = set()

    def cursor(self, folder: Path) -> layout.Cursor:
        """How far the folder's records are acknowledged: as stored, unless this shipper knows better, since it could not store it or it was lost."""
        stored, known = layout.load_cursor(folder), self._known.get(folder, layout.Cursor())
        return max(stored, known, key=lambda cursor: (cursor.segment, cursor.offset))

    def ship_folder(self, folder: Path, *, live: bool, patient: bool = True, made_up: Iterable[Refused | Closing] = ()) -> Progress:
        """Send all that waits in a folder whose `shipping` lock the caller holds, and then the records that are made up on the way out.

        Not patient: stop where the Collector does not answer, or takes nothing. Raises `OSError` if the folder cannot be read.
        """
        progress = Progress()
        header: Header | None = None
        source = self._ready(folder, self.cursor(folder), live=live, made_up=made_up)
        waiting: deque[_Ready] = deque()
        while True:
            taken = self._take(waiting, source)
            if not taken:
                return progress
            header = header or header_of(folder)
            if header.schema > semconv.SCHEMA_VERSION:
                return Progress(done=False, reason=f"the journal {folder} was written by a newer tokentrail and is left to it")
            sent = self._deliver(header, taken, progress, patient=patient)
            for _ in range(sent):
                waiting.popleft()
            if sent:
                self._advance(folder, taken[sent - 1].after)
            if not progress.done:
                return progress

    def tell(self, header: Header, records: Iterable[Refused | Closing]) -> bool:
        """Send what a writer without a folder has to say: it could not write at all."""
        bodies = [otlp.log_record(record, 0, header.writer_id) for record in records]
        return self._exporter.send(otlp.request(header, bodies)).result is Result.ACCEPTED

    def _ready(self, folder: Path, cursor: layout.Cursor, *, live: bool, made_up: Iterable[Refused | Closing]) -> Iterator[_Ready]:
        """What waits in the folder, as it is sent."""
        for found in read(folder, cursor, live=live):
            if live and (lost := [pair for low, high in found.left_out for pair in gaps(low, high, load_refused(folder))]):
                # of a writer that has ended its closing record tells them
                told = Refused(ranges=lost, ts=time.time_ns(), damaged=True)
                yield _Ready(0, otlp.log_record(told, 0, folder.name), cursor, encode(told))
            cursor = found.after
            if found.record is None:
                self._tell_damage(folder, found)
                yield _Ready(found.number, b"", cursor)
            elif isinstance(found.record, Header):
                yield _Ready(0, b"", cursor)
            else:
                yield _Ready(found.number, otlp.log_record(found.record, found.number, folder.name), cursor, found.payload)
        for record in made_up:
            yield _Ready(0, otlp.log_record(record, 0, folder.name), cursor, encode(record))

    def _take(self, waiting: deque[_Ready], source: Iterator[_Ready]) -> list[_Ready]:
        """The next records that fit into one request; they stay in `waiting` until they are acknowledged."""
        taken: list[_Ready] = []
        size = count = 0
        while True:
            if len(taken) == len(waiting):
                ready = next(source, None)
                if ready is None:
                    return taken
                waiting.append(ready)
            else:
                ready = waiting[len(taken)]
            size += len(ready.body)
            count += bool(ready.body)
            if count > 1 and (size > MAX_REQUEST_BYTES or count > self._most):
                return taken
            taken.append(ready)

    def _deliver(self, header: Header, taken: list[_Ready], progress: Progress, *, patient: bool) -> int:
        """Send until the Collector has taken a part from the beginning: how many. 0, and `progress.done` false, where it is given up."""
        tries = 0
        while True:
            bodies = [ready.body for ready in taken if ready.body]
            if not bodies:
                return len(taken)
            outcome = self._exporter.send(otlp.request(header, bodies))
            if outcome.result is Result.ACCEPTED:
                self._accepted()
                progress.shipped += sum(1 for ready in taken if ready.body and ready.number)
                return len(taken)
            tries += 1
            if tries >= self._patience(outcome, len(bodies)) and outcome.result in (Result.BUSY, Result.REFUSED) and len(bodies) > 1:
                # a request larger than the Collector's queue is answered 503 for ever, and one bad record spoils its batch
                taken = _first_half(taken, len(bodies) // 2)
                self._shrink(len(bodies) // 2, outcome)
                tries = PATIENCE - 1
            elif tries >= PATIENCE and outcome.result is Result.REFUSED:
                if self._takes_others(header):
                    self._put_aside(header, next(ready for ready in taken if ready.body), outcome)
                    progress.aside += 1
                    return len(taken)
                outcome = Outcome(Result.MISCONFIGURED, f"{outcome.reason} (as to a request without any record: it takes nothing at all)")
            if self._give_up(tries, outcome, patient=patient):
                progress.done, progress.reason = False, outcome.reason
                return 0

    def _give_up(self, tries: int, outcome: Outcome, *, patient: bool) -> bool:
        """Pause before the next try; true if there should be none."""
        asked = outcome.retry_after is not None
        if not patient and (
            outcome.result in (Result.UNREACHABLE, Result.MISCONFIGURED) or tries > PATIENCE or (outcome.retry_after or 0.0) > IMPATIENT_SECONDS
        ):
            return True
        if outcome.result is Result.REFUSED:
            return self._wait(REFUSED_DELAY, False)
        if tries == LOG_AFTER_FAILURES if outcome.result is Result.UNREACHABLE else tries in BUSY_TOLD:
            self.complain(f"{outcome.reason}; records stay in the journal {self.root} and are sent again")
        return self._wait(self._policy.next_delay(tries, outcome.retry_after), asked)

    def _patience(self, outcome: Outcome, records: int) -> int:
        """How many refusals it takes; one, where a smaller request is known to pass."""
        return 1 if outcome.result is Result.BUSY and 0 < self._passes < records else PATIENCE

    def _shrink(self, records: int, outcome: Outcome) -> None:
        if outcome.result is Result.REFUSED and not self._before_refusal:
            self._before_refusal = self._most
        self._most, self._accepted_in_a_row = records, 0

    def _accepted(self) -> None:
        self._taken_since_aside = True
        self._accepted_in_a_row += 1
        if self._accepted_in_a_row >= GROW_AFTER and self._most < MAX_REQUEST_RECORDS:
            self._passes = self._most
            self._most, self._accepted_in_a_row = min(MAX_REQUEST_RECORDS, self._most * 2), 0

    def _takes_others(self, header: Header) -> bool:
        """Whether it is this record that is refused, and not whatever comes: a proxy that answers 400 to all must not move a journal aside."""
        return self._taken_since_aside or self._exporter.send(otlp.request(header, [])).result is Result.ACCEPTED

    def _put_aside(self, header: Header, ready: _Ready, outcome: Outcome) -> None:
        path = put_aside(self.root, header, ready.number, ready.payload, outcome.reason)
        self._taken_since_aside = False
        self._most, self._before_refusal = self._before_refusal or self._most, 0
        self.complain(f"a record that the Collector refuses was put aside in {path}: {outcome.reason}")

    def _advance(self, folder: Path, cursor: layout.Cursor) -> None:
        self._known[folder] = cursor
        try:
            layout.store_cursor(folder, cursor)
        except OSError as error:
            # a full disk must not keep what is acknowledged from being removed; whoever ships next repeats a file at most
            self.complain(f"how far {folder} is acknowledged cannot be stored: {reason(error)}")
        for path in layout.segments(folder):
            if path.name >= cursor.segment:
                return
            with contextlib.suppress(OSError):
                path.unlink()

    def forget(self, *removed: Path) -> None:
        """Folders that were removed; without any: all that are not there any more."""
        for folder in removed or [folder for folder in self._known if not folder.exists()]:
            self._known.pop(folder, None)

    def _tell_damage(self, folder: Path, found: Found) -> None:
        place = (folder.name, found.after.segment, found.after.offset)
        if place not in self._logged_damage:
            self._logged_damage.add(place)
            self.damaged_bytes += found.damaged_bytes
            where = f"{folder / found.after.segment} before offset {found.after.offset}"
            self.complain(f"torn bytes were skipped in the journal: {found.damaged_bytes} in {where}")


def _first_half(taken: list[_Ready], bodies: int) -> list[_Ready]:
    """The beginning that holds so many bodies."""
    for position, ready in enumerate(taken, start=1):
        bodies -= bool(ready.body)
        if not bodies:
            return taken[:position]
    return taken


def _sleep(seconds: float, _asked: bool) -> bool:
    threading.Event().wait(seconds)
    return False
