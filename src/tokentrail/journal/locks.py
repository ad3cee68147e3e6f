"""Locks of a journal's files, and their handling in a forked child.

A lock (flock) is tied to the open file: the kernel releases the lock when the process dies, however it dies. A forked child inherits every open file,
also the lock files of folders that its parent is adopting. The child must *close* these files (unlocking them would free the parent's lock), else a
writer of the parent seems alive as long as the child is. So this module registers all locks, and no fork falls between opening and registering one.

Some network file systems have no locks (ENOLCK). There the folder's name alone shows which writer owns the folder, and no process can see whether
another writer is alive: `by_name=True` is for callers that need not see that.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from tokentrail.journal.places import remove_empty_folder
from tokentrail.private_files import open_file
from tokentrail.process.forks import no_fork

__all__ = ["Lock", "NoLocks", "has_locks"]

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})

_held: set[Lock] = set()


class NoLocks(OSError):  # noqa: N818 - a state of the file system, not an error
    """The file system has no locks."""


class Lock:
    """An exclusive lock on a file, held until `close()` or the process's end."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path, *, by_name: bool = False) -> Lock | None:
        """Takes the lock. Returns `None` if the lock is held already or its folder is gone. Raises `OSError` for a folder without rights.

        On a file system without locks raises `NoLocks`, or with `by_name` returns a `Lock` that excludes no process.
        """
        with no_fork():
            try:
                fd = _open(path)
            except FileNotFoundError:
                return None
            lock = cls(path, fd)
            try:
                _flock(fd, fcntl.LOCK_EX, path, by_name=by_name)
                _held.add(lock)
                # the previous holder may have removed the file in between: a lock on a removed file has no effect
                if lock.holds():
                    return lock
            except BlockingIOError:
                pass
            except BaseException:  # an interrupt too: a file that stays open would be locked until the process ends
                lock.close()
                raise
            lock.close()
            return None

    @classmethod
    def find_held(cls, path: Path) -> Lock | None:
        """Returns the lock that this process already holds on the file: an interrupt came between taking and storing the lock."""
        for lock in tuple(_held):
            if lock.is_at(path):
                lock.path = path
                return lock
        return None

    def holds(self) -> bool:
        """Whether the locked file is still the file at the path."""
        return self.is_at(self.path)

    def is_at(self, path: Path) -> bool:
        """Whether the locked file is the one at the path."""
        try:
            held, there = os.fstat(self._fd), path.stat()
        except OSError:
            return False
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Releases the lock; in a forked child, closes the inherited file without freeing the parent's lock."""
        with no_fork():
            _held.discard(self)
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)


def _open(path: Path) -> int:
    try:
        return open_file(path, os.O_RDWR | os.O_CREAT)
    except IsADirectoryError:
        remove_empty_folder(path)
        return open_file(path, os.O_RDWR | os.O_CREAT)


def _flock(fd: int, how: int, path: Path, *, by_name: bool = False) -> None:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        if not by_name:
            raise NoLocks(error.errno, error.strerror, str(path)) from None


def is_locked(path: Path) -> bool:
    """Whether any process holds the file's lock. Raises `NoLocks` on a file system without locks."""
    with no_fork():
        try:
            fd = open_file(path, os.O_RDONLY)
        except (FileNotFoundError, IsADirectoryError):  # a folder in the place of the file was locked by no writer
            return False
        try:
            _flock(fd, fcntl.LOCK_SH, path)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def has_locks(file: int, path: Path) -> bool:
    """Whether the file system of an open file has locks."""
    try:
        _flock(file, fcntl.LOCK_EX, path)
    except NoLocks:
        return False
    return True


def close_inherited() -> None:
    """Closes the parent's locked files in a forked child, without freeing the parent's locks."""
    for lock in tuple(_held):
        lock.close()
