"""The writing end: one writer per process, one number per record, one `write` per append."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tokentrail.journal import folder as layout
from tokentrail.journal.frames import MAX_PAYLOAD, frame
from tokentrail.journal.records import Header, encode
from tokentrail.usage import Closing, Refused

__all__ = ["Writer"]

RETRY_SECONDS: Final = 5.0


class Writer:
    """Appends records for one process; made anew after a fork. Never raises: what cannot be written is refused, numbered and counted.

    Nothing is on disk before the first append. `refused` counts the records that were refused, `complain` is told why, once for each spell.
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
        self.refused = 0
        self.closed = False
        self._resource = dict(resource)
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 4096))
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._complain = complain
        self._lock = threading.RLock()
        self._busy = False
        self._alive: layout.Lock | None = None
        self._fd = -1
        self._size = 0
        self._segment = 0
        self._seq = 0
        self._pending: list[tuple[int, int]] = []  # refused numbers that no Refused record has told yet
        self._retry_at = 0.0

    @property
    def last_seq(self) -> int:
        """The highest number given so far."""
        return self._seq

    @property
    def opened(self) -> bool:
        """Whether anything lies on disk."""
        return self._alive is not None

    def append(self, payload: bytes) -> int:
        """Append a record. Its number if it is on disk, minus its number if it was refused, 0 if this thread is in the middle of an append.

        0 happens when a signal handler or a finalizer runs inside an append of its own thread: the caller must then put the record on a queue.
        A number is taken and written in one critical section: a kill cannot leave a hole that nobody meant.
        """
        with self._lock:
            if self._busy:
                return 0
            self._busy = True
            try:
                self._seq = number = self._seq + 1
                data = frame(number, payload)
                if self._fd < 0 or self._pending or self._size + len(data) > self._segment_bytes or len(payload) > MAX_PAYLOAD:
                    self._prepare(len(data), len(payload), first_seq=number)
                self._write(data)
            except OSError as error:
                self._refuse(number, error)
                return -number
            finally:
                self._busy = False
            return number

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            # a full disk takes a part: a good record must not land behind torn bytes
            self._cut_back()
            raise OSError(28, f"only {written} of {len(data)} bytes were taken: the disk is full")
        self._size += written
        if self._fsync:
            os.fsync(self._fd)

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._leave_segment()

    def _leave_segment(self) -> None:
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            os.close(fd)

    def _prepare(self, frame_bytes: int, payload_bytes: int, *, first_seq: int) -> None:
        """All that is not needed for most appends: open, begin the next file, tell what was refused."""
        if payload_bytes > MAX_PAYLOAD:
            raise OSError(27, f"a record of {payload_bytes} bytes is larger than {MAX_PAYLOAD}")
        if self.closed:
            raise OSError(9, "the journal of this process is closed")
        if self._pending and self._retry_at > time.monotonic():
            raise OSError(28, "the journal has been refusing for less than five seconds")
        if self._alive is None:
            self._open()
        if self._fd < 0 or self._size + frame_bytes > self._segment_bytes:
            self._begin_segment(first_seq)
        if self._pending:
            self._write(frame(0, encode(Refused(ranges=self._pending, ts=time.time_ns()))))
            self._pending = []

    def _open(self) -> None:
        """Make the folder so that nobody ever sees it without its lock held: under another name first."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.root / f".{self.writer_id}"
        fresh.mkdir(mode=0o700, exist_ok=True)
        lock = layout.Lock.take(fresh / layout.ALIVE)
        if lock is None:
            raise OSError(11, f"cannot lock {fresh / layout.ALIVE}")
        try:
            fresh.rename(self.folder)
        except OSError:
            lock.close()
            raise
        self._alive = lock

    def _begin_segment(self, first_seq: int) -> None:
        if layout.size_of(self.root) + self._segment_bytes > self._max_bytes:
            raise OSError(28, f"the journal is at its bound of {self._max_bytes} bytes (setting journal_max_bytes)")
        path = layout.segment_path(self.folder, self._segment + 1)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._segment += 1
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = fd, 0
        header = Header(writer_id=self.writer_id, created=time.time_ns(), first_seq=first_seq, resource=self._resource)
        self._write(frame(0, encode(header)))

    def _refuse(self, number: int, error: OSError) -> None:
        self.refused += 1
        if self._pending and self._pending[-1][1] == number - 1:
            self._pending[-1] = (self._pending[-1][0], number)
        else:
            self._pending.append((number, number))
        if self._fd >= 0:
            self._cut_back()
        now = time.monotonic()
        if now >= self._retry_at:
            self._retry_at = now + RETRY_SECONDS
            self._complain(f"the journal in {self.root} refuses: {error.strerror or error} ({self.refused} refused so far)")

    def close(self) -> None:
        """Write the closing record, if anything was ever written, and let go of the files."""
        with self._lock:
            if self.closed or self._busy:
                return
            self._busy = True
            try:
                if self._alive is not None:
                    self._retry_at = 0.0
                    closing = frame(0, encode(Closing(last_seq=self._seq, ts=time.time_ns())))
                    if self._fd < 0 or self._pending or self._size + len(closing) > self._segment_bytes:
                        self._prepare(len(closing), 0, first_seq=self._seq + 1)
                    self._write(closing)
            except OSError as error:
                # whoever adopts the folder writes the closing record then
                self._complain(f"the journal in {self.root} could not be closed: {error}")
            finally:
                self.closed = True
                self._busy = False
                self.let_go()

    def let_go(self) -> None:
        """Close the files without a word: in a forked child, where they are the parent's."""
        self._leave_segment()
        if self._alive is not None:
            self._alive.close()
