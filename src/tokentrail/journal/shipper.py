"""Ships a writer's folder to the Collector: sends the waiting records, and advances the cursor only on full acceptance."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal import otlp
from tokentrail.journal.aside import put_aside
from tokentrail.journal.exporter import Outcome, Result
from tokentrail.journal.progress import Progress
from tokentrail.journal.reader import Found, header_of, read
from tokentrail.journal.ready import Ready, first_half, generated
from tokentrail.journal.records import Header, encode, gaps
from tokentrail.journal.refusals import load_refused
from tokentrail.journal.sends import NOTHING, Lanes, OneLane, Sends, Sent
from tokentrail.journal.volume import reason
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.usage import Closing, Refused

__all__ = ["Sends", "Shipper"]

MAX_REQUEST_RECORDS: Final = 5_000
"""The Collector commits each request to disk, and ClickHouse plans each INSERT: 5,000 records a request take a third less of both than 2,000."""
MAX_REFUSALS: Final = 3
"""Refusals of the same records before they are halved or, alone, put aside."""
MAX_LATE_HALVINGS: Final = 3
"""How often a pass halves a request whose answer is late: a server that answers nothing must not hold the pass for long."""
REFUSED_DELAY: Final = 0.05
"""Seconds before refused records are sent again: the server answers, so a longer pause gains nothing."""
GROW_AFTER: Final = 32
"""Accepted requests in a row before a limit found by halving is doubled."""
IMPATIENT_SECONDS: Final = 5.0
"""Longest Retry-After that a pass with `patient=False` waits for."""
LOG_AFTER_FAILURES: Final = 5
"""Failures in a row before an unreachable Collector is logged: some eight seconds."""
LOG_AT_TRIES: Final = (1, 10)
"""Numbers of tries at which an answer other than acceptance or refusal is logged."""


Ends = Callable[[layout.Cursor], Iterable[Refused | Closing]]


class Shipper:
    """Ships folders of one journal; used by one thread. With `lanes` requests of at most `max_records` records go side by side.

    `wait(seconds, asked)` pauses between tries and returns true if the shipper should stop; `asked`: the server asked for the pause. `stopped()`: no
    request may begin any more.
    """

    def __init__(
        self,
        root: Path,
        exporter: Sends,
        *,
        wait: Callable[[float, bool], bool] | None = None,
        complain: Callable[[str], None] = lambda _sentence: None,
        policy: RetryPolicy | None = None,
        stopped: Callable[[], bool] = lambda: False,
        lanes: Lanes | None = None,
        max_records: int = MAX_REQUEST_RECORDS,
    ) -> None:
        self.root = root
        self.complain = complain
        self._exporter = exporter
        self._wait = wait or _sleep
        self._policy = policy or RetryPolicy()
        self._stopped = stopped
        self._lanes: Lanes = lanes or OneLane(exporter)
        self._most_records = self.max_records = max_records
        self._accepted_size = 0  # the number of records in one request that was accepted before the limit was doubled
        self._before_refusal = 0  # the limit to restore once the refused record is found
        self._accepted_in_a_row = 0
        self._accepted_since_aside = False
        self._cursors: dict[Path, layout.Cursor] = {}
        self.shipped = self.damaged_bytes = 0
        self._logged_damage: set[tuple[str, str, int]] = set()

    def cursor(self, folder: Path) -> layout.Cursor:
        """Returns the folder's cursor: the stored one, or this shipper's if that is further (storing failed, or the file was lost)."""
        stored, known = layout.load_cursor(folder), self._cursors.get(folder, layout.Cursor())
        return max(stored, known, key=lambda cursor: (cursor.segment, cursor.offset))

    def ship_folder(self, folder: Path, *, live: bool, patient: bool = True, ends: Ends = lambda _cursor: ()) -> Progress:
        """Sends all waiting records of a folder whose `shipping` lock the caller holds, and then the records that `ends` returns.

        `ends` gets the cursor after the last record. With `patient=False` the pass stops if the Collector does not answer, or accepts nothing. Raises
        `OSError` if the folder cannot be read.
        """
        progress = Progress()
        header = header_of(folder)
        source = self._ready(folder, self.cursor(folder), live=live, ends=ends)
        waiting: deque[Ready] = deque()
        if not header.created and header.schema <= semconv.SCHEMA_VERSION:
            # a living writer may begin its first segment now: a record that was read stands behind its header
            waiting.extend(itertools.islice(source, 1))
            header = header_of(folder)
        if header.schema > semconv.SCHEMA_VERSION:
            return Progress(done=False, reason=f"the journal {folder} was written by a newer tokentrail and is left to it")
        under_way: deque[tuple[list[Ready], Sent]] = deque()
        width = 1  # until a request is accepted: a server that accepts none must not get several, nor one of them again and again
        try:
            while progress.done:
                while len(under_way) < width and not self._stopped() and (taken := self._take(waiting, source)):
                    under_way.append((taken, self._start(header, taken)))
                if not under_way:
                    break
                taken, sent = under_way.popleft()
                self._deliver_whole(folder, header, taken, self._first_outcome(sent, under_way), progress, patient=patient)
                width = self._lanes.width
        finally:
            while under_way:
                under_way.popleft()[1].result()
        if progress.done and self._stopped():
            return self._stop(progress)
        return progress

    def _stop(self, progress: Progress) -> Progress:
        progress.done, progress.reason = False, "asked to stop"
        return progress

    def _start(self, header: Header, taken: list[Ready]) -> Sent:
        """Begins to send records, if there are any."""
        bodies = [ready.body for ready in taken if ready.body]
        return self._lanes.start(otlp.request(header, bodies)) if bodies else NOTHING

    def _first_outcome(self, sent: Sent, under_way: Iterable[tuple[list[Ready], Sent]]) -> Outcome | None:
        """Waits for the outcome of a request. None asks for another try: the others' answers show that the server is there."""
        outcome = sent.result()
        others = [other.result() for _, other in under_way] if outcome.result is Result.UNREACHABLE and not self._stopped() else []
        return None if any(other.result is Result.ACCEPTED for other in others) else outcome

    def _deliver_whole(self, folder: Path, header: Header, taken: list[Ready], outcome: Outcome | None, progress: Progress, *, patient: bool) -> None:
        """Sends records until all are accepted, in parts if need be, and advances the cursor. `outcome`: of the first try."""
        while taken and progress.done:
            part = taken if outcome else self._take(deque(taken), iter(()))
            count = self._deliver(header, part, outcome, progress, patient=patient)
            if count:
                self._advance(folder, part[count - 1].after)
            taken, outcome = taken[count:], None

    def send_records(self, header: Header, records: Iterable[Refused | Closing]) -> bool:
        """Sends records of a writer without a folder. Returns whether the Collector accepted the request."""
        bodies = [otlp.log_record(record, encode(record), 0, header.writer_id) for record in records]
        return self._exporter.send(otlp.request(header, bodies)).result is Result.ACCEPTED

    def _ready(self, folder: Path, cursor: layout.Cursor, *, live: bool, ends: Ends) -> Iterator[Ready]:
        """Yields the waiting records of the folder, encoded for a request."""
        for found in read(folder, cursor, live=live):
            if live and (lost := [pair for low, high in found.missing for pair in gaps(low, high, load_refused(folder))]):
                # the closing record of a writer that has ended reports these numbers
                lost_record = Refused(ranges=lost, ts=time.time_ns(), damaged=True)
                yield generated(lost_record, cursor, folder.name)
            cursor = found.after
            if found.record is None:
                if found.damaged_bytes:
                    self._log_damage(folder, found)
                yield Ready(found.number, b"", cursor)
            elif isinstance(found.record, Header):
                yield Ready(0, b"", cursor)
            else:
                body = otlp.log_record(found.record, found.payload, found.number, folder.name)
                yield Ready(found.number, body, cursor, found.payload)
        for record in ends(cursor):
            yield generated(record, cursor, folder.name)

    def _take(self, waiting: deque[Ready], source: Iterator[Ready]) -> list[Ready]:
        """Takes the next records that fit into one request from `waiting`, then from `source`; a record that does not fit is left in `waiting`."""
        taken: list[Ready] = []
        size = count = 0
        while (ready := waiting.popleft() if waiting else next(source, None)) is not None:
            size += len(ready.body)
            count += bool(ready.body)
            if count > 1 and (size > self._exporter.max_request_bytes or count > self.max_records):
                waiting.appendleft(ready)
                break
            taken.append(ready)
        return taken

    def _deliver(self, header: Header, taken: list[Ready], outcome: Outcome | None, progress: Progress, *, patient: bool) -> int:
        """Sends until the Collector accepts a part from the beginning. Returns the number of records; 0, without `progress.done`, to stop.

        `outcome`: of the request that was sent already.
        """
        tries = halved = 0
        while True:
            bodies = [ready.body for ready in taken if ready.body]
            if not bodies:
                return len(taken)
            outcome = outcome or self._exporter.send(otlp.request(header, bodies))
            if outcome.result is Result.ACCEPTED:
                self._accepted()
                numbered = sum(1 for ready in taken if ready.body and ready.number)
                progress.shipped += numbered
                self.shipped += numbered
                return len(taken)
            tries += 1
            if self._stopped():
                self._stop(progress)
                return 0
            if outcome.late and len(bodies) > 1 and halved < MAX_LATE_HALVINGS:
                # a slow line, or a server that is slow with much: less may be whole in time
                taken = first_half(taken, len(bodies) // 2)
                self._shrink(len(bodies) // 2, outcome)
                halved, outcome = halved + 1, None
                continue
            if tries >= self._max_refusals(outcome, len(bodies)) and outcome.result in (Result.BUSY, Result.REFUSED) and len(bodies) > 1:
                # a request larger than the Collector's queue gets 503 every time, and one bad record makes the Collector refuse its batch
                taken = first_half(taken, len(bodies) // 2)
                self._shrink(len(bodies) // 2, outcome)
                tries = MAX_REFUSALS - 1
            elif tries >= MAX_REFUSALS and outcome.result is Result.REFUSED:
                if self._accepts_requests(header):
                    self._put_aside(header, next(ready for ready in taken if ready.body), outcome)
                    progress.aside += 1
                    return len(taken)
                outcome = Outcome(Result.MISCONFIGURED, f"{outcome.reason} (as to a request without any record: it takes nothing at all)")
            if self._should_stop(tries, outcome, patient=patient):
                progress.done, progress.reason = False, outcome.reason
                return 0
            outcome = None

    def _should_stop(self, tries: int, outcome: Outcome, *, patient: bool) -> bool:
        """Pauses before the next try. Returns true if there should be no next try."""
        asked = outcome.retry_after is not None
        if not patient and (
            outcome.result in (Result.UNREACHABLE, Result.MISCONFIGURED) or tries > MAX_REFUSALS or (outcome.retry_after or 0.0) > IMPATIENT_SECONDS
        ):
            return True
        if outcome.result is Result.REFUSED:
            return self._wait(REFUSED_DELAY, False)
        if tries == LOG_AFTER_FAILURES if outcome.result is Result.UNREACHABLE else tries in LOG_AT_TRIES:
            self.complain(f"{outcome.reason}; records stay in the journal {self.root} and are sent again")
        return self._wait(self._policy.next_delay(tries, outcome.retry_after), asked)

    def _max_refusals(self, outcome: Outcome, records: int) -> int:
        """Returns the number of refusals before the request is halved: one, if a smaller request was accepted before."""
        return 1 if outcome.result is Result.BUSY and 0 < self._accepted_size < records else MAX_REFUSALS

    def _shrink(self, records: int, outcome: Outcome) -> None:
        if outcome.result is Result.REFUSED and not self._before_refusal:
            self._before_refusal = self.max_records
        self.max_records, self._accepted_in_a_row = records, 0

    def _accepted(self) -> None:
        self._accepted_since_aside = True
        self._accepted_in_a_row += 1
        if self._accepted_in_a_row >= GROW_AFTER and self.max_records < self._most_records:
            self._accepted_size = self.max_records
            self.max_records, self._accepted_in_a_row = min(self._most_records, self.max_records * 2), 0

    def _accepts_requests(self, header: Header) -> bool:
        """Whether the Collector accepts other requests: a proxy that answers 400 to every request must not move a whole journal aside."""
        return self._accepted_since_aside or self._exporter.send(otlp.request(header, [])).result is Result.ACCEPTED

    def _put_aside(self, header: Header, ready: Ready, outcome: Outcome) -> None:
        path = put_aside(self.root, header, ready.number, ready.payload, outcome.reason)
        self._accepted_since_aside = False
        self.max_records, self._before_refusal = self._before_refusal or self.max_records, 0
        self.complain(f"a record that the Collector refuses was put aside in {path}: {outcome.reason}")

    def _advance(self, folder: Path, cursor: layout.Cursor) -> None:
        self._cursors[folder] = cursor
        try:
            layout.store_cursor(folder, cursor)
        except OSError as error:
            # on a full disk acknowledged segments must still be removed; the next shipper repeats one segment at most
            self.complain(f"how far {folder} is acknowledged cannot be stored: {reason(error)}")
        for path in layout.segments(folder):
            if path.name >= cursor.segment:
                return
            with contextlib.suppress(OSError):
                path.unlink()

    def forget(self, *removed: Path) -> None:
        """Removes the cursors of removed folders; without arguments, of all folders that no longer exist."""
        for folder in removed or [folder for folder in self._cursors if not folder.exists()]:
            self._cursors.pop(folder, None)

    def _log_damage(self, folder: Path, found: Found) -> None:
        place = (folder.name, found.after.segment, found.after.offset)
        if place not in self._logged_damage:
            self._logged_damage.add(place)
            self.damaged_bytes += found.damaged_bytes
            where = f"{folder / found.after.segment} before offset {found.after.offset}"
            self.complain(f"torn bytes were skipped in the journal: {found.damaged_bytes} in {where}")


def _sleep(seconds: float, _asked: bool) -> bool:
    threading.Event().wait(seconds)
    return False
