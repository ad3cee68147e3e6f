"""The appending end: one file set per process, one number per record, one `write` per append."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tokentrail.journal import folder as layout
from tokentrail.journal.files import Files
from tokentrail.journal.frames import MAX_FRAME, MAX_PAYLOAD, frame
from tokentrail.journal.records import Header, as_text, encode
from tokentrail.journal.refusals import Refusals
from tokentrail.journal.volume import CANNOT_GROW, reason
from tokentrail.process.threads import RLock
from tokentrail.usage import Closing, Refused

__all__ = ["Writer"]

RETRY_SECONDS: Final = 1.0
"""Between two tries to begin a file where the last one failed: measuring the journal's size is too dear for every call."""
LOOK_SECONDS: Final = 1.0
"""Between two looks whether the file is still in the folder."""

_write = os.write
_monotonic = time.monotonic


class Writer:
    """Appends records for one process; made anew after a fork. What cannot be written is refused: numbered, counted, and told in a record later.

    Nothing is on disk before the first append. `refusals` knows the numbers of the records that were refused; `complain` is told why.
    """

    def __init__(
        self,
        root: str | Path,
        resource: Mapping[str, str | int],
        *,
        segment_bytes: int,
        max_bytes: int,
        fsync: bool = False,
        complain: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self.root = Path(root)
        self.writer_id = uuid.uuid4().hex
        self.folder = self.root / self.writer_id
        self.refusals = Refusals()
        self.closed = False
        self.last_written = 0
        self._files = Files(
            self.folder,
            {as_text(name): as_text(value) if isinstance(value, str) else value for name, value in resource.items()},
            self.refusals,
            segment_bytes=segment_bytes,
            max_bytes=max_bytes,
            fsync=fsync,
            complain=complain,
        )
        self._fsync = fsync
        self._complain = complain
        self._lock = RLock()
        self._busy = False
        self._nested: list[tuple[int, bytes]] = []  # number 0: close
        self._seq = 0
        self._retry_at = 0.0
        self._last_open_error = ""  # no file could be begun
        self._next_stat_at = 0.0

    @property
    def last_seq(self) -> int:
        """The highest number given so far."""
        return self._seq

    @property
    def opened(self) -> bool:
        """Whether anything lies on disk."""
        return self._files.alive is not None

    @property
    def refused(self) -> int:
        """How many records were refused."""
        return self.refusals.count

    @property
    def header(self) -> Header:
        """Whose records these are."""
        return self._files.header(1)

    def append(self, payload: bytes) -> int:
        """Append a record: its number if it is on disk, minus its number if it was refused, 0 if this writer is closed.

        A number is taken and written in one critical section: a kill cannot leave a hole that nobody meant. A signal handler or a finalizer may
        come here in the middle of an append of its own thread: its record gets the next number, and that append writes both.
        """
        with self._lock:
            if self.closed:
                return 0
            self._seq = number = self._seq + 1
            if self._busy:
                self._nested.append((number, payload))
                return number
            try:
                self._busy = True
                return number if self._append(number, payload) else -number
            finally:
                self._busy = False
                if self._nested:
                    self._do_nested()

    def _append(self, number: int, payload: bytes) -> bool:
        files = self._files
        data = b""
        try:
            data = frame(number, payload)
            size = len(data)
            if size > MAX_FRAME:
                raise OSError(errno.EMSGSIZE, f"a record of {len(payload)} bytes is larger than {MAX_PAYLOAD}")  # noqa: TRY301 - refused like any other
            if self.refusals.unreported or files.size + size > files.limit or files.fd < 0 or _monotonic() >= self._next_stat_at:
                self._prepare(size, number)
            written = _write(files.fd, data)
            if written != size:
                files.complete(data, written)
            if self._fsync:
                os.fsync(files.fd)
            files.size += size
            self.last_written = number
        except OSError as error:
            return self._append_elsewhere(number, data, error)
        except BaseException:
            self._interrupted(number)
            raise
        return True

    def _append_elsewhere(self, number: int, data: bytes, error: OSError) -> bool:
        """Write into a new file what this one cannot take; what that cannot take either is refused."""
        try:
            if error.errno in CANNOT_GROW and not self._files.fresh:
                self._files.cannot_grow = True
                self._files.cut_back()
                try:
                    self._next_file(number)
                    self._tell_refusals()
                    self._files.put(data)
                    if self._fsync:
                        os.fsync(self._files.fd)
                except OSError as again:
                    error = error if again.errno == errno.EAGAIN else again
                else:
                    self.last_written = number
                    return True
            self._refuse(number, error)
        except BaseException:
            self._interrupted(number)
            raise
        return False

    def _do_nested(self) -> None:
        self._busy = True
        close = False
        try:
            while self._nested:
                number, payload = self._nested.pop(0)
                if number:
                    self._append(number, payload)
                else:
                    close = True
        finally:
            self._busy = False
        if close:
            self.close()

    def _prepare(self, frame_bytes: int, first_seq: int) -> None:
        """All that is not needed for most appends: open, begin the next file, tell what was refused, see whether the file is still there."""
        files = self._files
        now = _monotonic()
        if files.fd >= 0 and now >= self._next_stat_at:
            self._next_stat_at = now + LOOK_SECONDS
            files.look(first_seq)
            files.look_at_limit()
        if files.fd < 0 or (files.size + frame_bytes > files.limit and not files.fresh):
            self._next_file(first_seq)
        self._tell_refusals()

    def _next_file(self, first_seq: int) -> None:
        now = _monotonic()
        if now < self._retry_at:
            raise OSError(errno.EAGAIN, self._last_open_error)
        try:
            self._files.replace(first_seq, layout.load_cursor(self.folder))
        except OSError as error:
            self._last_open_error, self._retry_at = reason(error), now + RETRY_SECONDS
            raise
        self._retry_at, self._next_stat_at = 0.0, now + LOOK_SECONDS

    def _tell_refusals(self) -> None:
        ranges = self.refusals.unreported
        if ranges:
            self._files.put(frame(0, encode(Refused(ranges=ranges, ts=time.time_ns()))))
            self.refusals.told(ranges)
            self.refusals.keep(self.folder)

    def rotate_if_acknowledged(self, acknowledged: layout.Cursor) -> None:
        """Begin the next file if all of one that is large, or cannot grow, is acknowledged: a hundred idle processes would fill the journal."""
        with self._lock:
            if self._busy or self.closed or not self._files.is_acknowledged(acknowledged) or not self._files.worth_leaving:
                return
            self._busy = True
            try:
                self._files.replace(self._seq + 1, acknowledged)
                self._retry_at = 0.0
            except OSError:
                return  # the next append tries again
            finally:
                self._busy = False
                if self._nested:
                    self._do_nested()

    def _refuse(self, number: int, error: OSError) -> None:
        self._count_refused(number)
        self._files.cut_back()
        self._complain(f"the journal refuses records: {self.root}: {reason(error)} ({self.refused} so far)")

    def _count_refused(self, number: int) -> None:
        self.refusals.add(number)
        if self._files.alive is not None:
            self.refusals.keep(self.folder)

    def _interrupted(self, number: int) -> None:
        """Something was raised into an append (a signal handler, no memory): nobody knows how far it came, so the file is left as it is."""
        if self.last_written != number:
            self._count_refused(number)
        self._files.leave()

    def close(self) -> None:
        """Write the closing record, if anything was ever written or refused, and let go of the files.

        Where it cannot be written, the shipper makes one: the journal, and the name that tells of refusals, hold enough.
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
                self.release()

    def _put_closing(self, closing: bytes) -> None:
        self._retry_at = self._next_stat_at = 0.0
        try:
            self._prepare(len(closing), self._seq + 1)
            self._files.put(closing)
        except OSError as error:
            if error.errno not in CANNOT_GROW:
                raise
            self._next_file(self._seq + 1)
            self._tell_refusals()
            self._files.put(closing)

    def release(self) -> None:
        """Close the files without a word: in a forked child, where they are the parent's."""
        self._files.release()
