"""Appends records to the journal: one writer per process, one number per record, one `write` per append."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tokentrail.environment import Fsync
from tokentrail.journal import folder as layout
from tokentrail.journal.files import Files
from tokentrail.journal.frames import MAX_FRAME, MAX_PAYLOAD, frame
from tokentrail.journal.records import Header, as_text, encode
from tokentrail.journal.refusals import Refusals
from tokentrail.journal.sync import Sync
from tokentrail.journal.volume import CANNOT_GROW, reason
from tokentrail.process.threads import RLock
from tokentrail.usage import Closing, Refused

__all__ = ["Writer"]

RETRY_SECONDS: Final = 1.0
"""Interval between two tries to begin a segment: measuring the journal's size is too expensive for every call."""
LOOK_SECONDS: Final = 1.0
"""Interval at which the writer checks that the segment is still in the folder."""

write = os.write
_monotonic = time.monotonic


class Writer:
    """Appends records for one process; a forked child creates another writer.

    A record that cannot be written is refused: numbered, counted, and reported later. Nothing is on disk before the first
    append. `refusals` holds the refused numbers; `complain` is called with the reason; `on_sync_error` gets errors of syncs that refuse no record.
    """

    def __init__(
        self,
        root: str | Path,
        resource: Mapping[str, str | int],
        *,
        segment_bytes: int,
        max_bytes: int,
        fsync: Fsync = "never",
        complain: Callable[[str], None] = lambda _sentence: None,
        on_sync_error: Callable[[OSError], None] = lambda _error: None,
    ) -> None:
        self.root = Path(root)
        self.writer_id = uuid.uuid4().hex
        self.folder = self.root / self.writer_id
        self.refusals = Refusals()
        self.closed = False
        self.last_written = 0
        self._lock = RLock()
        self.sync = None if fsync == "never" else Sync(fsync, self._lock, on_sync_error)
        self.files = Files(
            self.folder,
            {as_text(name): as_text(value) if isinstance(value, str) else value for name, value in resource.items()},
            self.refusals,
            segment_bytes=segment_bytes,
            max_bytes=max_bytes,
            sync=self.sync,
            complain=complain,
        )
        self._complain = complain
        self._busy = False
        self._nested: list[tuple[int, bytes]] = []  # number 0: close
        self._seq = 0
        self.retry_at = 0.0
        self._last_open_error = ""  # why no segment could begin
        self._next_stat_at = 0.0

    @property
    def last_seq(self) -> int:
        """The highest number given so far."""
        return self._seq

    @property
    def opened(self) -> bool:
        """Whether the writer's folder was created."""
        return self.files.alive is not None

    @property
    def refused(self) -> int:
        """How many records were refused."""
        return self.refusals.count

    @property
    def header(self) -> Header:
        """The header of the writer's records."""
        return self.files.header(1)

    def append(self, payload: bytes) -> int:
        """Appends a record. Returns its number if the record is on disk, minus its number if it was refused, 0 if this writer is closed.

        A number is given and written in one critical section, so that a kill leaves no gap between numbers. A signal handler or a finalizer may call
        this method within an append of the same thread: its record gets the next number, and the outer append writes both.
        """
        with self._lock:
            if self.closed:
                return 0
            if self._busy:
                self._seq = number = self._seq + 1
                self._nested.append((number, payload))
                return number
            self._busy = True  # before the number is given: a handler's record gets the next one
            try:
                self._seq = number = self._seq + 1
                if not self._nested:
                    return number if self._append(number, payload) else -number
                self._nested.append((number, payload))
                return number
            finally:
                self._busy = False
                if self._nested:
                    self._append_nested()

    def _append(self, number: int, payload: bytes) -> bool:
        files = self.files
        data = b""
        whole = False
        try:
            data = frame(number, payload)
            size = len(data)
            if size > MAX_FRAME:
                raise OSError(errno.EMSGSIZE, f"a record of {len(payload)} bytes is larger than {MAX_PAYLOAD}")  # noqa: TRY301 - refused like any other
            if self.refusals.unreported or files.size + size > files.limit or files.fd < 0 or _monotonic() >= self._next_stat_at:
                self._prepare(size, number)
            written = write(files.fd, data)
            if written != size:
                files.complete(data, written)
            whole = True
            if self.sync is not None and not self.sync.pending:
                self.sync.record_appended(files.fd)
            files.size += size
            self.last_written = number
        except OSError as error:
            return self._append_to_next_file(number, data, error, can_grow=whole)
        except BaseException:
            self._abandon_append(number)
            raise
        return True

    def _append_to_next_file(self, number: int, data: bytes, error: OSError, *, can_grow: bool) -> bool:
        """Appends a record to a new segment if the current one cannot grow; refuses the record if that fails too, or if the sync failed."""
        try:
            if error.errno in CANNOT_GROW and not can_grow and not self.files.is_empty:
                self.files.cannot_grow = True
                self.files.rollback()
                try:
                    self._next_file(number)
                    self._report_refusals()
                    self.files.put(data)
                    if self.sync is not None and not self.sync.pending:
                        self._sync_put(self.sync, len(data))
                except OSError as again:
                    error = error if again.errno == errno.EAGAIN else again
                else:
                    self.last_written = number
                    return True
            self._refuse(number, error)
        except BaseException:
            self._abandon_append(number)
            raise
        return False

    def _sync_put(self, sync: Sync, size: int) -> None:
        """Syncs the record that was put last. After an error the record does not belong to the segment any more: `rollback` removes its bytes."""
        try:
            sync.record_appended(self.files.fd)
        except BaseException:
            self.files.size -= size
            raise

    def _append_nested(self) -> None:
        close = False
        while self._nested:
            self._busy = True
            try:
                while self._nested:
                    number, payload = first = min(self._nested)  # a handler may have interrupted another one before its entry
                    self._nested.remove(first)
                    if number:
                        self._append(number, payload)
                    else:
                        close = True
            finally:
                self._busy = False
        if close:
            self.close()

    def _prepare(self, frame_bytes: int, first_seq: int) -> None:
        """Does the steps that most appends skip: opens the journal, begins the next segment, reports refusals, checks the current segment."""
        files = self.files
        now = _monotonic()
        if files.fd >= 0 and (now >= self._next_stat_at or files.size + frame_bytes > files.limit):  # nobody can look after the next one has begun
            self._next_stat_at = now + LOOK_SECONDS
            files.check_current(first_seq)
            files.update_limit()
        if files.fd < 0 or (files.size + frame_bytes > files.limit and not files.is_empty):
            self._next_file(first_seq)
        self._report_refusals()

    def _next_file(self, first_seq: int) -> None:
        now = _monotonic()
        if now < self.retry_at:
            raise OSError(errno.EAGAIN, self._last_open_error)
        try:
            self.files.replace(first_seq, layout.load_cursor(self.folder))
        except OSError as error:
            self._last_open_error, self.retry_at = reason(error), now + RETRY_SECONDS
            raise
        self.retry_at, self._next_stat_at = 0.0, now + LOOK_SECONDS

    def _report_refusals(self) -> None:
        ranges = self.refusals.unreported
        if ranges:
            self.files.put(frame(0, encode(Refused(ranges=ranges, ts=time.time_ns()))))
            self.refusals.mark_reported(ranges)
            self.refusals.keep(self.folder)

    def rotate_if_acknowledged(self, acknowledged: layout.Cursor) -> None:
        """Begins the next segment if the current one is acknowledged, and large or unable to grow: else a hundred idle processes fill the journal."""
        with self._lock:
            if self._busy or self.closed or not self.files.is_acknowledged(acknowledged) or not self.files.should_rotate:
                return
            self._busy = True
            try:
                self.files.replace(self._seq + 1, acknowledged)
                self.retry_at = 0.0
            except OSError:
                return  # the next append tries again
            finally:
                self._busy = False
                if self._nested:
                    self._append_nested()

    def _refuse(self, number: int, error: OSError) -> None:
        self._count_refused(number)
        self.files.rollback()
        self._complain(f"the journal refuses records: {self.root}: {reason(error)} ({self.refused} so far)")

    def _count_refused(self, number: int) -> None:
        self.refusals.add(number)
        if self.files.alive is not None:
            self.refusals.keep(self.folder)

    def _abandon_append(self, number: int) -> None:
        """Handles an exception inside an append (signal handler, no memory): the state of the write is unknown, so the segment is closed."""
        if self.last_written != number:
            self._count_refused(number)
        self.files.close_current()

    def close(self) -> None:
        """Appends the closing record, if any record was written or refused, syncs what the setting asks for, and closes the files.

        If the closing record cannot be written, the shipper generates one: the segments and the file name with refused numbers are enough for that.
        """
        with self._lock:
            if self.closed:
                return
            if self._busy:  # a signal handler within an append of its own thread: that append closes
                self._nested.append((0, b""))
                return
            self.closed = True
            self._busy = True
            try:
                if self.opened or self.refusals.unreported:
                    self._put_closing(frame(0, encode(Closing(last_seq=self._seq, ts=time.time_ns()))))
            except OSError as error:
                self._complain(f"the closing record does not fit into the journal {self.root}: {reason(error)}; the shipper makes one")
            finally:
                self._busy = False
                self.files.close_current()
                if self.sync is not None:
                    self.sync.finish()
                self.files.release()

    def _put_closing(self, closing: bytes) -> None:
        self.retry_at = self._next_stat_at = 0.0
        try:
            self._prepare(len(closing), self._seq + 1)
            self.files.put(closing)
        except OSError as error:
            if error.errno not in CANNOT_GROW:
                raise
            self._next_file(self._seq + 1)
            self._report_refusals()
            self.files.put(closing)

    def release(self) -> None:
        """Closes the files without a closing record and without a sync: in a forked child, where files and unsynced records are the parent's."""
        if self.sync is not None:
            self.sync.forget()
        self.files.release()
