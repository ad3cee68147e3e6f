"""A writer's folder and its current segment: creates the folder, appends frames to the segment, begins the next segment."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tokentrail.journal import folder as layout
from tokentrail.journal.frames import MAX_FRAME, frame
from tokentrail.journal.locks import Lock
from tokentrail.journal.records import Header, encode
from tokentrail.journal.refusals import Refusals
from tokentrail.journal.sync import Sync
from tokentrail.journal.volume import CANNOT_GROW, check_fits, largest_file, process_limit
from tokentrail.private_files import check_folder, make_folder, open_file

__all__ = ["Files"]

write = os.write


class Files:
    """The files of one writer; used by one thread at a time. A step that fails raises `OSError` and leaves the current segment unchanged."""

    def __init__(
        self,
        folder: Path,
        resource: Mapping[str, str | int],
        refusals: Refusals,
        *,
        segment_bytes: int,
        max_bytes: int,
        sync: Sync | None,
        complain: Callable[[str], None],
    ) -> None:
        self.root = folder.parent
        self.folder = folder
        self.alive: Lock | None = None
        self.fd = -1
        self.size = 0
        self.limit = self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 4096))
        self.cannot_grow = False
        self._resource = resource
        self._refusals = refusals
        self._max_bytes = max_bytes
        self._sync = sync
        self._complain = complain
        self.current = layout.segment_path(folder, 0)  # the current segment
        self._number = 0
        self._first_seq = 1
        self._header_bytes = 0
        self._identity = (0, 0)

    @property
    def is_empty(self) -> bool:
        """Whether the current segment holds nothing but its header: a new segment could take no more."""
        return self.fd >= 0 and self.size == self._header_bytes

    @property
    def should_rotate(self) -> bool:
        """Whether the next segment should begin once all records of the current one are acknowledged: the segment is large, or cannot grow."""
        return not self.is_empty and (self.size * 8 >= self.limit or self.cannot_grow)

    def header(self, first_seq: int) -> Header:
        """Returns the header record of a segment."""
        return Header(writer_id=self.folder.name, created=time.time_ns(), first_seq=first_seq, resource=dict(self._resource))

    def put(self, data: bytes) -> None:
        """Writes a frame whole or not at all."""
        written = write(self.fd, data)
        if written != len(data):
            self.complete(data, written)
        self.size += len(data)

    def complete(self, data: bytes, written: int) -> None:
        """Writes the rest of a partly written frame, or rolls back and raises. A good record must not follow torn bytes."""
        try:
            while written < len(data):
                check_fits(self.size + written + 1)
                taken = write(self.fd, data[written:])
                if not taken:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - a write of 0 bytes means a full file
                written += taken
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Truncates the segment to its last whole frame. After a change from outside the length is unknown: closes the segment instead."""
        if self.fd < 0:
            return
        try:
            if 0 <= self._size_on_disk() - self.size <= MAX_FRAME:
                os.ftruncate(self.fd, self.size)
            else:
                self.close_current()
        except OSError:
            self.close_current()

    def close_current(self) -> None:
        """Closes the current segment, synced before if the setting asks for it; the next record begins another segment."""
        fd, self.fd = self.fd, -1
        self._close(fd)

    def _close(self, fd: int) -> None:
        with contextlib.suppress(OSError):
            if fd >= 0 and self._sync is not None:
                self._sync.close(fd)
            elif fd >= 0:
                os.close(fd)

    def update_limit(self) -> None:
        """Lowers the segment's limit to the process's file size limit, which may have changed: a write beyond that limit can kill the process."""
        limit = process_limit()
        if limit is not None:
            self.limit = min(self.limit, limit)

    def begin(self, first_seq: int) -> None:
        """Begins the next segment. If that fails, the previous segment stays current."""
        if self.alive is not None and not self.alive.holds():
            self.alive.close()
            self.alive = None
        if self.alive is None:
            self._open()
        limit = largest_file(self.root, self._segment_bytes)
        if layout.size_of(self.root) + limit > self._max_bytes:
            raise OSError(errno.ENOSPC, f"the journal is at its bound of {self._max_bytes} bytes (setting journal_max_bytes)")
        header = frame(0, encode(self.header(first_seq)))
        check_fits(len(header))
        # a number may be taken: by a segment that could not begin, whose file is still there, or by a file that somebody put there
        self._number = max(self._number, layout.last_number(self.folder)) + 1
        path = layout.segment_path(self.folder, self._number)
        fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        before, self.fd, self.size = (self.fd, self.size), fd, 0
        try:
            self.put(header)
            if self._sync is not None:
                self._sync.names_changed(self.folder)
        except BaseException:
            # a segment without a header would not name the writer of its records
            self.fd, self.size = before
            with contextlib.suppress(OSError):
                os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._close(before[0])
        self._first_seq = first_seq
        self._identity = _identity(fd)
        self.current, self.limit, self._header_bytes, self.cannot_grow = path, limit, self.size, False

    def replace(self, first_seq: int, acknowledged: layout.Cursor) -> None:
        """Begins the next segment. On a full disk a fully acknowledged current segment is removed first: nothing else makes room."""
        try:
            self.begin(first_seq)
        except OSError as error:
            if error.errno not in CANNOT_GROW or self.is_empty or not self.is_acknowledged(acknowledged):
                raise
            done = self.current
            self.close_current()
            self.size = 0
            with contextlib.suppress(OSError):
                done.unlink()
            self.begin(first_seq)

    def is_acknowledged(self, cursor: layout.Cursor) -> bool:
        """Whether all records of the current segment are acknowledged."""
        return self.fd >= 0 and (cursor.segment, cursor.offset) == (self.current.name, self.size) and self._size_on_disk() == self.size

    def check_current(self, first_seq: int) -> None:
        """Checks that the current segment is unchanged on disk, else begins another one: other programs remove, move, truncate and close files."""
        on_disk = self._size_on_disk()
        if on_disk < 0:
            self.fd = -1  # not closed: the descriptor may belong to another file by now
            self._complain(f"somebody closed {self.current} while it was in use: another file is begun")
        elif _identity(self.current) != self._identity:
            self._rewrite_current(f"somebody removed, moved or replaced {self.current}")
        elif on_disk != self.size:
            self._begin_after_change(first_seq, on_disk)
        elif layout.last_number(self.folder) > self._number:
            # a reader that has passed the later file passes over what is appended to an earlier one, and removes the earlier one
            self._rewrite_current(f"a file was put beside {self.current}")

    def _size_on_disk(self) -> int:
        """Returns the size of the current segment on disk; -1 if the descriptor no longer belongs to the segment."""
        try:
            found = os.fstat(self.fd)
        except OSError:
            return -1
        return found.st_size if (found.st_dev, found.st_ino) == self._identity else -1

    def _rewrite_current(self, why: str) -> None:
        """Begins a new segment after all others, and copies the frames of the open file into the new one: records that are read twice count once."""
        kept = os.pread(self.fd, self.size, 0)
        self.begin(self._first_seq)
        self.put(kept)
        self._complain(f"{why} while it was in use: what was still open was written again")

    def _begin_after_change(self, first_seq: int, on_disk: int) -> None:
        """Begins the next segment after the current one's length was changed; if none can begin, appends at the current end."""
        self._complain(
            f"somebody changed {self.current} while it was in use ({self.size} bytes were written, and it has {on_disk}): "
            "records that are gone from it are reported as damaged"
        )
        self.size = on_disk
        with contextlib.suppress(OSError):
            self.begin(first_seq)

    def _open(self) -> None:
        """Creates the folder under a temporary name, locks the folder, then renames it: no process ever sees the folder without a held lock."""
        parents = [place.parent for place in (self.root, *self.root.parents) if not place.exists()] if self._sync is not None else []
        make_folder(self.root, parents=True)
        if self.folder.is_dir():  # the lock file was removed, or an interrupt came before the lock was assigned
            check_folder(self.folder)
            self.alive = self._locked(self.folder)
            return
        fresh = self.root / f".{self.folder.name}"
        make_folder(fresh)
        lock = self._locked(fresh)
        self._refusals.keep(fresh, new_folder=True)
        with contextlib.suppress(OSError):  # an existing cursor can be overwritten on a full disk
            layout.store_cursor(fresh, layout.Cursor())
        try:
            fresh.rename(self.folder)
        except OSError:
            lock.close()
            raise
        lock.path = self.folder / layout.ALIVE
        self.alive = lock
        if self._sync is not None:
            self._sync.names_changed(self.root, *parents)

    def _locked(self, folder: Path) -> Lock:
        path = folder / layout.ALIVE
        try:
            lock = Lock.take(path) or Lock.find_held(path)
        except layout.NoLocks as error:
            lock = Lock.take(path, by_name=True)
            self._complain(layout.no_locks_sentence(self.root, error))
        if lock is None:
            raise OSError(errno.EAGAIN, f"cannot lock {path}")
        return lock

    def release(self) -> None:
        """Closes the files without a closing record and without a sync."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
        if self.alive is not None:
            self.alive.close()


def _identity(file: Path | int) -> tuple[int, int]:
    """Returns device and inode number of a file; zeros if the file is missing."""
    try:
        found = os.stat(file)  # noqa: PTH116 - Path.stat costs twice as much
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
