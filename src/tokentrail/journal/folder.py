"""Which files a journal has, and their locks.

    <journal>/<writer id>/alive            locked (flock) as long as the writer lives
    <journal>/<writer id>/shipping         locked by whoever ships this writer's records
    <journal>/<writer id>/00000001.journal, 00000002.journal, …   the records
    <journal>/<writer id>/cursor           how far they are acknowledged
    <journal>/aside/<writer id>-<number>.json    single records that the Collector refuses for good

A lock is tied to the open file: the kernel gives it back when the process dies, however it dies. A forked child inherits every open file, also
those of journals that its parent is adopting: it must *close* them (unlocking there would free the parent's lock), else what the parent leaves
looks alive as long as the child lives. So all locks are known here, and no fork falls between opening one and knowing it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tokentrail.journal.frames import Frame, frame, scan
from tokentrail.threads import RLock

__all__ = ["ALIVE", "ASIDE", "SHIPPING", "Cursor", "Lock", "is_alive", "load_cursor", "segments", "size_of", "store_cursor", "writer_folders"]

ALIVE: Final = "alive"
SHIPPING: Final = "shipping"
ASIDE: Final = "aside"
CURSOR: Final = "cursor"
SUFFIX: Final = ".journal"
_WRITER = re.compile(r"[0-9a-f]{32}").fullmatch
_BEGUN = re.compile(r"\.[0-9a-f]{32}").fullmatch

_held: set[Lock] = set()
_no_fork = RLock()


class Lock:
    """An exclusive lock on a file, held until `close()` or the process's end."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """The lock, or `None` if somebody holds it or its folder is gone. Raises `OSError` for a folder without rights."""
        with _no_fork:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                return None
            lock = cls(path, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
            _held.add(lock)
            # whoever held it may have removed the file in between: a lock on a removed file is nobody's
            if lock.holds():
                return lock
            lock.close()
            return None

    def holds(self) -> bool:
        """Whether the locked file still is the one that everybody sees at the path."""
        try:
            ours, there = os.fstat(self._fd), self.path.stat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Give the lock back; in a forked child, let go of the inherited file without freeing the parent's lock."""
        with _no_fork:
            _held.discard(self)
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)


def no_fork() -> contextlib.AbstractContextManager[object]:
    """While it is entered, no other thread of this process forks."""
    return _no_fork


def _before_fork() -> None:
    _no_fork.acquire()


def _after_fork_in_parent() -> None:
    _no_fork.release()


def _after_fork_in_child() -> None:
    global _no_fork  # noqa: PLW0603 - the inherited one is held by the fork itself
    _no_fork = RLock()
    for lock in tuple(_held):
        lock.close()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def is_alive(folder: Path) -> bool:
    """Whether the folder's writer still runs (its lock is held)."""
    with _no_fork:
        try:
            fd = os.open(folder / ALIVE, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def _age(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:
        return 0


def writer_folders(root: Path) -> list[Path]:
    """The folders of all writers, oldest first."""
    try:
        found = [entry for entry in os.scandir(root) if _WRITER(entry.name)]
    except FileNotFoundError:
        return []
    return [Path(entry.path) for entry in sorted(found, key=_age)]


def abandoned_beginnings(root: Path, older_than: float) -> Iterator[Path]:
    """Folders that a writer began and did not live to name, last touched before that time (unix seconds)."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(root):
            if _BEGUN(entry.name) and _age(entry) < older_than * 1e9:
                yield Path(entry.path)


def segments(folder: Path) -> list[Path]:
    """A writer's files in the order they were written."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []


def segment_path(folder: Path, number: int) -> Path:
    """The writer's file of that number."""
    return folder / f"{number:08d}{SUFFIX}"


def size_of(root: Path) -> int:
    """Bytes of all records in the journal: those of other processes and those put aside included."""
    total = 0
    for folder in [*writer_folders(root), root / ASIDE]:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat().st_size
    return total


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """All before `offset` in `segment` (and all earlier segments) is acknowledged; `last_seq` is the highest number among it."""

    segment: str = ""
    offset: int = 0
    last_seq: int = 0
    shipped: int = 0


_encode_cursor = msgspec.json.Encoder().encode
_decode_cursor = msgspec.json.Decoder(Cursor).decode


def load_cursor(folder: Path) -> Cursor:
    """The stored cursor; one that is missing or damaged starts anew, which repeats records and counts nothing twice.

    It carries a checksum: a wrong digit would otherwise skip records that nobody has acknowledged.
    """
    try:
        stored = next(scan((folder / CURSOR).read_bytes()), None)
        return _decode_cursor(stored.payload) if isinstance(stored, Frame) else Cursor()
    except (OSError, msgspec.MsgspecError):
        return Cursor()


def store_cursor(folder: Path, cursor: Cursor) -> None:
    """Replace the cursor in one step. Raises `OSError` where the disk takes nothing more."""
    fresh = folder / f"{CURSOR}.new"
    fresh.write_bytes(frame(0, _encode_cursor(cursor)))
    fresh.replace(folder / CURSOR)


def sync_folder(folder: Path) -> None:
    """Make a new name in the folder survive power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
