"""Locks of a journal's files, and what a fork does to them.

A lock (flock) is tied to the open file: the kernel gives it back when the process dies, however it dies. A forked child inherits every open file,
also those of journals that its parent is adopting: the child must *close* them (unlocking there would free the parent's lock), else what the parent
leaves looks alive as long as the child lives. So all locks are known here, and no fork falls between opening one and knowing it.

Some network file systems have no locks (ENOLCK). There a writer's folder is known as its own by the writer's name alone, and nobody can see whether
another writer lives: `by_name=True` is for those who need not see that.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from tokentrail.process.forks import no_fork

__all__ = ["Lock", "NoLocks", "has_locks"]

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})

_held: set[Lock] = set()


class NoLocks(OSError):  # noqa: N818 - the file system's state, and what its answer means
    """The file system answers that it has no locks."""


class Lock:
    """An exclusive lock on a file, held until `close()` or the process's end."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path, *, by_name: bool = False) -> Lock | None:
        """The lock, or `None` if it is held already or its folder is gone. Raises `OSError` for a folder without rights.

        Where the file system has no locks it raises `NoLocks`, or answers an open file that keeps nobody out, if `by_name` says that nobody comes.
        """
        with no_fork():
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                return None
            lock = cls(path, fd)
            try:
                _flock(fd, fcntl.LOCK_EX, path, by_name=by_name)
                _held.add(lock)
                # the holder before may have removed the file in between: a lock on a removed file is nobody's
                if lock.holds():
                    return lock
            except BlockingIOError:
                pass
            except BaseException:  # an interrupt too: a file that stays open would be locked as long as the process lives
                lock.close()
                raise
            lock.close()
            return None

    @classmethod
    def held(cls, path: Path) -> Lock | None:
        """The lock that this process holds on the file already: an interrupt came between taking it and keeping it."""
        for lock in tuple(_held):
            if lock.is_at(path):
                lock.path = path
                return lock
        return None

    def holds(self) -> bool:
        """Whether the locked file still is the one that everybody sees at the path."""
        return self.is_at(self.path)

    def is_at(self, path: Path) -> bool:
        """Whether the locked file is the one at the path."""
        try:
            held, there = os.fstat(self._fd), path.stat()
        except OSError:
            return False
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Give the lock back; in a forked child, let go of the inherited file without freeing the parent's lock."""
        with no_fork():
            _held.discard(self)
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)


def _flock(fd: int, how: int, path: Path, *, by_name: bool = False) -> None:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        if not by_name:
            raise NoLocks(error.errno, error.strerror, str(path)) from None


def is_locked(path: Path) -> bool:
    """Whether any process holds the file's lock. Raises `NoLocks` where nobody can know."""
    with no_fork():
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
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
    """Close the parent's locked files in a forked child, without freeing the parent's locks."""
    for lock in tuple(_held):
        lock.close()
