"""The appending end: one file set per process, one number per record, one `write` per append."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tokentrail.journal import folder as layout
from tokentrail.journal.frames import MAX_FRAME, MAX_PAYLOAD, frame
from tokentrail.journal.records import Header, as_text, encode, join_ranges
from tokentrail.threads import RLock
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

    Nothing is on disk before the first append. `refused` counts the records that were refused; `complain` is told why.
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
        self.last_written = 0
        self._resource = {as_text(name): as_text(value) if isinstance(value, str) else value for name, value in resource.items()}
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 4096))
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._complain = complain
        self._lock = RLock()
        self._busy = False
        self._nested: list[tuple[int, bytes]] = []
        self._alive: layout.Lock | None = None
        self._fd = -1
        self._size = 0
        self._segment = 0
        self._seq = 0
        self._untold: list[tuple[int, int]] = []  # refused numbers that no Refused record has told yet
        self._retry_at = 0.0
        self._why = ""  # no file could be begun
        self._look_at = 0.0

    @property
    def last_seq(self) -> int:
        """The highest number given so far."""
        return self._seq

    @property
    def opened(self) -> bool:
        """Whether anything lies on disk."""
        return self._alive is not None

    @property
    def untold(self) -> bool:
        """Whether records were refused that the journal does not know of yet."""
        return bool(self._untold)

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
            self._busy = True
            try:
                return number if self._append(number, payload) else -number
            finally:
                self._busy = False
                if self._nested:
                    self._append_nested()

    def _append(self, number: int, payload: bytes) -> bool:
        try:
            data = frame(number, payload)
            size = len(data)
            if size > MAX_FRAME:
                raise OSError(errno.EFBIG, f"a record of {len(payload)} bytes is larger than {MAX_PAYLOAD}")  # noqa: TRY301 - refused like any other
            if self._untold or self._size + size > self._segment_bytes or self._fd < 0 or _monotonic() >= self._look_at:
                self._prepare(size, number)
            written = _write(self._fd, data)
            if written != size:
                self._short(written, size)
            if self._fsync:
                os.fsync(self._fd)
            self._size += size
            self.last_written = number
        except OSError as error:
            self._refuse(number, error)
            return False
        except BaseException:
            self._interrupted(number)
            raise
        return True

    def _append_nested(self) -> None:
        self._busy = True
        try:
            while self._nested:
                self._append(*self._nested.pop(0))
        finally:
            self._busy = False

    def _put(self, data: bytes) -> None:
        """Write a frame that has no number."""
        written = _write(self._fd, data)
        if written != len(data):
            self._short(written, len(data))
        self._size += written

    def _short(self, written: int, size: int) -> None:
        """A full disk took a part: a good record must not land behind torn bytes."""
        self._cut_back()
        raise OSError(errno.ENOSPC, f"only {written} of {size} bytes were taken: the disk is full")

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._leave_segment()

    def _leave_segment(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _prepare(self, frame_bytes: int, first_seq: int) -> None:
        """All that is not needed for most appends: open, begin the next file, tell what was refused, see whether the file is still there."""
        now = _monotonic()
        if self._fd >= 0 and now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            if os.fstat(self._fd).st_nlink == 0:
                self._move(first_seq)
        if self._fd < 0 or self._size + frame_bytes > self._segment_bytes:
            if now < self._retry_at:
                raise OSError(errno.EAGAIN, self._why)
            self._retry_at = now + RETRY_SECONDS
            try:
                self._begin_segment(first_seq)
            except OSError as error:
                self._why = error.strerror or str(error)
                raise
            self._retry_at = 0.0
        if self._untold:
            self._put(frame(0, encode(Refused(ranges=self._untold, ts=time.time_ns()))))
            self._untold = []

    def _open(self) -> None:
        """Make the folder so that nobody ever sees it without its lock held: under another name first."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.is_dir():  # only its lock file was removed
            self._alive = layout.Lock.take(self.folder / layout.ALIVE)
            if self._alive is None:
                raise OSError(errno.EAGAIN, f"cannot lock {self.folder / layout.ALIVE}")
            return
        fresh = self.root / f".{self.writer_id}"
        fresh.mkdir(mode=0o700, exist_ok=True)
        lock = layout.Lock.take(fresh / layout.ALIVE)
        if lock is None:
            raise OSError(errno.EAGAIN, f"cannot lock {fresh / layout.ALIVE}")
        try:
            fresh.rename(self.folder)
        except OSError:
            lock.close()
            raise
        lock.path = self.folder / layout.ALIVE
        self._alive = lock
        if self._fsync:
            layout.sync_folder(self.root)

    def _begin_segment(self, first_seq: int) -> None:
        """Begin the next file; the one before stays in use if that fails."""
        if self._alive is not None and not self._alive.holds():
            self._alive.close()
            self._alive = None
        if self._alive is None:
            self._open()
        if layout.size_of(self.root) + self._segment_bytes > self._max_bytes:
            raise OSError(errno.ENOSPC, f"the journal is at its bound of {self._max_bytes} bytes (setting journal_max_bytes)")
        self._segment += 1
        path = layout.segment_path(self.folder, self._segment)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        before, self._fd, self._size = (self._fd, self._size), fd, 0
        try:
            self._put(frame(0, encode(Header(writer_id=self.writer_id, created=time.time_ns(), first_seq=first_seq, resource=self._resource))))
            if self._fsync:
                layout.sync_folder(self.folder)
        except BaseException:
            # a file without a header would say nothing of whose its records are
            self._leave_segment()
            self._fd, self._size = before
            path.unlink(missing_ok=True)
            raise
        if before[0] >= 0:
            os.close(before[0])
        self._look_at = _monotonic() + LOOK_SECONDS

    def begin_anew(self, acknowledged: layout.Cursor) -> None:
        """Begin the next file if all of a large one is acknowledged, so that it can be removed: a hundred idle processes would fill the journal."""
        with self._lock:
            current = layout.segment_path(self.folder, self._segment).name
            if self._busy or self._fd < 0 or (acknowledged.segment, acknowledged.offset) != (current, self._size):
                return
            if self._size * 8 < self._segment_bytes:
                return
            self._busy = True
            try:
                self._begin_segment(self._seq + 1)
            except OSError:
                return  # the one in use still is
            finally:
                self._busy = False
                if self._nested:
                    self._append_nested()

    def _move(self, first_seq: int) -> None:
        """Somebody removed the folder at run time: what the open file still holds goes into a new one."""
        kept = os.pread(self._fd, self._size, 0)
        self._begin_segment(first_seq)
        self._put(kept)
        self._complain(f"somebody removed {self.folder} while it was in use: what was still open was written again")

    def _refuse(self, number: int, error: OSError) -> None:
        self._count_refused(number)
        if self._fd >= 0:
            self._cut_back()
        self._complain(f"the journal refuses records: {self.root}: {error.strerror or error} ({self.refused} so far)")

    def _count_refused(self, number: int) -> None:
        self.refused += 1
        self._untold = join_ranges([*self._untold, (number, number)])

    def _interrupted(self, number: int) -> None:
        """Something was raised into an append (a signal handler, no memory): nobody knows how far it came, so the file is left as it is."""
        if self.last_written != number:
            self._count_refused(number)
        self._leave_segment()

    def close(self) -> None:
        """Write the closing record, if anything was ever written, and let go of the files."""
        with self._lock:
            if self.closed or self._busy:
                return
            self.closed = True
            self._busy = True
            try:
                if self._alive is not None:
                    self._retry_at = self._look_at = 0.0
                    closing = frame(0, encode(Closing(last_seq=self._seq, ts=time.time_ns())))
                    self._prepare(len(closing), self._seq + 1)
                    self._put(closing)
            except OSError as error:
                # whoever adopts the folder closes it then
                self._complain(f"the journal could not be closed, which its adopter will do: {self.root}: {error}")
            finally:
                self._busy = False
                self.let_go()

    def let_go(self) -> None:
        """Close the files without a word: in a forked child, where they are the parent's."""
        self._leave_segment()
        if self._alive is not None:
            self._alive.close()
