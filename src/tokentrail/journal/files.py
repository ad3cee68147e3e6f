"""A writer's folder and the file in use: made, filled frame by frame, left for the next one."""

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
from tokentrail.journal.volume import CANNOT_GROW, check_fits, largest_file, process_limit

__all__ = ["Files"]

write = os.write


class Files:
    """One writer's files; used by one thread at a time. All that cannot be done is an `OSError`, and leaves the file in use as it was."""

    def __init__(
        self,
        folder: Path,
        resource: Mapping[str, str | int],
        refusals: Refusals,
        *,
        segment_bytes: int,
        max_bytes: int,
        fsync: bool,
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
        self._fsync = fsync
        self._complain = complain
        self.current = layout.segment_path(folder, 0)  # the file in use
        self._number = 0
        self._first_seq = 1
        self._header_bytes = 0
        self._identity = (0, 0)

    @property
    def fresh(self) -> bool:
        """Whether the file in use holds nothing but its header: another one could take no more."""
        return self.fd >= 0 and self.size == self._header_bytes

    @property
    def worth_leaving(self) -> bool:
        """Whether the next file should be begun once all in this one is acknowledged: it is large, or cannot grow."""
        return not self.fresh and (self.size * 8 >= self.limit or self.cannot_grow)

    def header(self, first_seq: int) -> Header:
        """What stands at a file's beginning."""
        return Header(writer_id=self.folder.name, created=time.time_ns(), first_seq=first_seq, resource=dict(self._resource))

    def put(self, data: bytes) -> None:
        """Write a frame whole or not at all."""
        written = write(self.fd, data)
        if written != len(data):
            self.complete(data, written)
        self.size += len(data)

    def complete(self, data: bytes, written: int) -> None:
        """Write the rest of a frame of which a part was taken, or raise why it is not taken. A good record must not land behind torn bytes."""
        try:
            while written < len(data):
                check_fits(self.size + written + 1)
                taken = write(self.fd, data[written:])
                if not taken:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - a file that takes nothing is full
                written += taken
        except BaseException:
            self.cut_back()
            raise

    def cut_back(self) -> None:
        """Remove what was written since the last whole frame; where somebody has cut the file too, nobody knows how much that is."""
        if self.fd < 0:
            return
        try:
            if 0 <= self._on_disk() - self.size <= MAX_FRAME:
                os.ftruncate(self.fd, self.size)
            else:
                self.leave()
        except OSError:
            self.leave()

    def leave(self) -> None:
        """Close the file in use; the next record begins another one."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)

    def look_at_limit(self) -> None:
        """A process's file size limit may have been changed meanwhile; writing beyond it can be its end."""
        limit = process_limit()
        if limit is not None:
            self.limit = min(self.limit, limit)

    def begin(self, first_seq: int) -> None:
        """Begin the next file; the one before stays in use if that fails."""
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
        self._number += 1  # of a file that could not be begun too, for it may still be there
        path = layout.segment_path(self.folder, self._number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        before, self.fd, self.size = (self.fd, self.size), fd, 0
        try:
            self.put(header)
            if self._fsync:
                layout.sync_folder(self.folder)
        except BaseException:
            # a file without a header would say nothing of whose its records are
            self.leave()
            self.fd, self.size = before
            path.unlink(missing_ok=True)
            raise
        if before[0] >= 0:
            os.close(before[0])
        self._first_seq = first_seq
        self._identity = _identity(fd)
        self.current, self.limit, self._header_bytes, self.cannot_grow = path, limit, self.size, False

    def replace(self, first_seq: int, acknowledged: layout.Cursor) -> None:
        """Begin the next file; where there is no room for it, remove the one in use first, if all in it is acknowledged: nothing else makes room."""
        try:
            self.begin(first_seq)
        except OSError as error:
            if error.errno not in CANNOT_GROW or self.fresh or not self.is_acknowledged(acknowledged):
                raise
            done = self.current
            self.leave()
            self.size = 0
            with contextlib.suppress(OSError):
                done.unlink()
            self.begin(first_seq)

    def is_acknowledged(self, cursor: layout.Cursor) -> bool:
        """Whether all in the file in use is."""
        return self.fd >= 0 and (cursor.segment, cursor.offset) == (self.current.name, self.size) and self._on_disk() == self.size

    def look(self, first_seq: int) -> None:
        """See whether the file in use is what was written, and go on in another one if not: others remove, move, cut and close files."""
        on_disk = self._on_disk()
        if on_disk < 0:
            self.fd = -1  # not to be closed: it is somebody else's by now
            self._complain(f"somebody closed {self.current} while it was in use: another file is begun")
        elif _identity(self.current) != self._identity:
            self._write_again()
        elif on_disk != self.size:
            self._begin_beside_changed(first_seq, on_disk)

    def _on_disk(self) -> int:
        """Bytes that the file in use has; -1 if its number is not that file's any more."""
        try:
            found = os.fstat(self.fd)
        except OSError:
            return -1
        return found.st_size if (found.st_dev, found.st_ino) == self._identity else -1

    def _write_again(self) -> None:
        """Make anew what somebody removed, moved or replaced: what the open file still holds goes into a new one."""
        kept, removed = os.pread(self.fd, self.size, 0), self.current
        self.begin(self._first_seq)
        self.put(kept)
        self._complain(f"somebody removed, moved or replaced {removed} while it was in use: what was still open was written again")

    def _begin_beside_changed(self, first_seq: int, on_disk: int) -> None:
        """Begin the next file, since somebody changed this one's length; where none can be begun, go on behind what is there."""
        self._complain(
            f"somebody changed {self.current} while it was in use ({self.size} bytes were written, and it has {on_disk}): "
            "records that are gone from it are told as damaged"
        )
        self.size = on_disk
        with contextlib.suppress(OSError):
            self.begin(first_seq)

    def _open(self) -> None:
        """Make the folder so that nobody ever sees it without its lock held: under another name first."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.is_dir():  # its lock file was removed, or an interrupt came before the lock was known here
            self.alive = self._locked(self.folder)
            return
        fresh = self.root / f".{self.folder.name}"
        fresh.mkdir(mode=0o700, exist_ok=True)
        lock = self._locked(fresh)
        self._refusals.keep(fresh, anew=True)
        with contextlib.suppress(OSError):  # once there is one, a later one can be written on a full disk too
            layout.store_cursor(fresh, layout.Cursor())
        try:
            fresh.rename(self.folder)
        except OSError:
            lock.close()
            raise
        lock.path = self.folder / layout.ALIVE
        self.alive = lock
        if self._fsync:
            layout.sync_folder(self.root)

    def _locked(self, folder: Path) -> Lock:
        path = folder / layout.ALIVE
        try:
            lock = Lock.take(path) or Lock.held(path)
        except layout.NoLocks as error:
            lock = Lock.take(path, by_name=True)
            self._complain(layout.without_locks(self.root, error))
        if lock is None:
            raise OSError(errno.EAGAIN, f"cannot lock {path}")
        return lock

    def release(self) -> None:
        """Close the files without a word: in a forked child, where they are the parent's."""
        self.leave()
        if self.alive is not None:
            self.alive.close()


def _identity(file: Path | int) -> tuple[int, int]:
    """Device and number of a file; zeros where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - Path.stat costs twice as much
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
