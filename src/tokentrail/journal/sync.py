"""Syncs a writer's segments to disk, so that records survive power loss: within each append, or by a thread, once for all appends of some time.

| step                                        | under the writer's lock | what is synced                                |
|---------------------------------------------|-------------------------|-----------------------------------------------|
| append, setting `always`                    | yes                     | the record; an error refuses the record       |
| `interval` after the first unsynced append  | no                      | all records, and the names of new segments    |
| the next segment begins; the writer closes  | yes                     | what is unsynced; an error is counted         |

The thread sleeps until the next unsynced append. A forked child has neither the thread nor the duty: unsynced records are the parent's. A process
that is killed, or ends by `os._exit`, syncs nothing more: the kernel writes its records back, as all records with the setting `never`.
"""

from __future__ import annotations

import atexit
import errno
import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tokentrail.environment import Fsync
from tokentrail.journal.folder import sync_folder
from tokentrail.process import threads

__all__ = ["Sync"]

_ending: Final[list[None]] = []
"""Not empty once the interpreter ends, and all writers were closed: a thread could be stopped between any two steps, so it is not relied upon."""
atexit.register(partial(_ending.append, None))  # runs after `close_at_exit` of the runtime, which is registered later


def sync_file(fd: int) -> None:
    """Syncs a file's data, and its size."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


class Sync:
    """The syncs of one writer. `pending`: the thread is about to sync, and a further append need not ask for a sync.

    All methods but the thread's are called under the writer's lock, or in a forked child. `on_error` gets the errors that refuse no record. Beside
    gevent the thread is a native one and must not log, so that `on_error` is called at the next append or at the end.
    """

    def __init__(self, fsync: Fsync, lock: threads.RLock, on_error: Callable[[OSError], None]) -> None:
        self.pending = False
        self._interval = fsync / 1000 if isinstance(fsync, int) else 0.0
        self._lock = lock
        self._on_error = on_error
        self._due: threads.SimpleQueue[float | None] = threads.SimpleQueue()  # when the thread syncs (`time.monotonic`); `None`: the thread ends
        self.thread = 0
        self._stopped = False
        self._fd = -1  # the segment of the last append
        self._syncing = -1  # the segment that the thread is syncing
        self._left: list[int] = []  # segments that were closed meanwhile: the thread closes their files
        self._folders: dict[Path, int] = {}  # with unsynced names; a number for each change
        self._changes = itertools.count()
        self._unreported: deque[OSError] = deque()

    def record_appended(self, fd: int) -> None:
        """Syncs the segment (`always`), or asks the thread for a sync. Raises `OSError` with `always`: the record is then refused."""
        if not self._interval:
            sync_file(fd)
            return
        self._report()
        self._fd = fd
        if not self.thread:
            self.thread = threads.start_native(self._run)
        if self.thread and not _ending:
            self._due.put(time.monotonic() + self._interval)
            self.pending = True  # last: after an interrupt before this line the next append asks again
        else:
            self._sync_unsynced()

    def names_changed(self, *folders: Path) -> None:
        """Syncs folders in which a file or folder is new (`always`), or leaves them to the next sync."""
        if self._interval:
            self._folders.update((folder, next(self._changes)) for folder in folders)
        else:
            _sync_folders(folders)

    def close(self, fd: int) -> None:
        """Syncs a segment and closes its file; a file that the thread is syncing is closed by the thread. Raises no error of the sync."""
        self.pending = False  # the next append is to another segment, and asks for a sync of that
        self._fd = -1
        self._sync(fd, {})
        if fd == self._syncing:
            self._left.append(fd)
        else:
            os.close(fd)

    def finish(self) -> None:
        """Syncs the folders and ends the thread: the writer is closed, its last segment too.

        Folders that the thread is syncing are synced here as well: the process may end before the thread is done.
        """
        self._sync(-1, dict(self._folders))
        self._report()
        self._stop()

    def forget(self) -> None:
        """Ends the thread and syncs nothing: in a forked child, where unsynced records are the parent's."""
        self._fd = self._syncing = -1
        self._stop()
        while self._left:
            os.close(self._left.pop())

    def _stop(self) -> None:
        self._stopped = True
        self._due.put(None)

    def _run(self) -> None:
        try:
            while not self._stopped:
                due = threads.get(self._due)
                if due is None:
                    break
                # a later time comes when a segment was closed meanwhile: this sync serves both
                while (left := due - time.monotonic()) > 0 and threads.get(self._due, left) is not None:
                    pass
                self._sync_unsynced()
        finally:
            self.thread, self.pending = 0, False

    def _sync_unsynced(self) -> None:
        """Syncs all records that are in the current segment now. The writer's lock is held before and after, not meanwhile."""
        with self._lock:
            self.pending = False  # before the sync: an append that comes during the sync asks for the next one
            self._syncing = fd = self._fd
            folders = dict(self._folders)
        try:
            self._sync(fd, folders)
        finally:
            with self._lock:
                self._syncing = -1
                while self._left:
                    os.close(self._left.pop())
            if not threads.are_greenlets():
                self._report()

    def _sync(self, fd: int, folders: Mapping[Path, int]) -> None:
        """Syncs a segment, and folders. After an error the next sync includes the folders, but not the bytes, which the kernel has dropped."""
        try:
            if fd >= 0:
                sync_file(fd)
            _sync_folders(folders)
        except OSError as error:
            self._unreported.append(error)
            return
        with self._lock:
            for folder, change in folders.items():
                if self._folders.get(folder) == change:  # else another name came meanwhile
                    del self._folders[folder]

    def _report(self) -> None:
        while self._unreported:
            self._on_error(self._unreported.popleft())


WITHOUT_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Errors of file systems that sync files alone (fsync(2): "fd is bound to a special file which does not support synchronization")."""


def _sync_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        # a shipped folder is removed; and the right to make a folder in another one is not the right to read that
        try:
            sync_folder(folder)
        except (FileNotFoundError, PermissionError):
            pass
        except OSError as error:
            if error.errno not in WITHOUT_FOLDER_SYNC:
                raise
