"""Which files a journal has, and their locks.

    <journal>/<writer id>/alive            locked (flock) as long as the writer lives
    <journal>/<writer id>/shipping         locked by whoever ships this writer's records
    <journal>/<writer id>/00000001.journal, 00000002.journal, …   the records
    <journal>/<writer id>/cursor           how far they are acknowledged
    <journal>/aside/<writer id>-<number>.json    single records that the Collector refuses for good

A lock is tied to the open file: the kernel gives it back when the process dies, however it dies. A forked child inherits the open file, so it
must *close* it; unlocking there would free the parent's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ALIVE", "ASIDE", "SHIPPING", "Cursor", "Lock", "is_alive", "load_cursor", "segments", "size_of", "store_cursor", "writer_folders"]

ALIVE: Final = "alive"
SHIPPING: Final = "shipping"
ASIDE: Final = "aside"
SUFFIX: Final = ".journal"
_WRITER = re.compile(r"[0-9a-f]{32}").fullmatch


class Lock:
    """An exclusive lock on a file, held until `close()` or the process's end."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """The lock, or `None` if somebody holds it or the file is gone. Raises `OSError` for a folder without rights."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever held it may have removed the file in between: a lock on a removed file is nobody's
            if os.fstat(fd).st_ino == path.stat().st_ino:
                return cls(path, fd)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
        return None

    def close(self) -> None:
        """Give the lock back; in a forked child, let go of the inherited file without freeing the parent's lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_alive(folder: Path) -> bool:
    """Whether the folder's writer still runs (its lock is held)."""
    try:
        fd = os.open(folder / ALIVE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def writer_folders(root: Path) -> Iterator[Path]:
    """The folders of all writers, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        found = [entry for entry in os.scandir(root) if _WRITER(entry.name)]
        for entry in sorted(found, key=lambda entry: entry.stat().st_mtime_ns):
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
    """Bytes of all records in the journal, those of other processes included."""
    total = 0
    for folder in writer_folders(root):
        for path in segments(folder):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total


@dataclass(frozen=True, slots=True)
class Cursor:
    """All before `offset` in `segment` (and all earlier segments) is acknowledged; `last_seq` is the highest number among it."""

    segment: str = ""
    offset: int = 0
    last_seq: int = 0
    shipped: int = 0


def load_cursor(folder: Path) -> Cursor:
    """The stored cursor; one that is missing or damaged starts anew, which repeats records and counts nothing twice."""
    try:
        stored = json.loads((folder / "cursor").read_bytes())
        return Cursor(str(stored["segment"]), int(stored["offset"]), int(stored["last_seq"]), int(stored["shipped"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Cursor()


def store_cursor(folder: Path, cursor: Cursor) -> None:
    """Replace the cursor in one step."""
    fresh = folder / "cursor.new"
    fresh.write_text(json.dumps({"segment": cursor.segment, "offset": cursor.offset, "last_seq": cursor.last_seq, "shipped": cursor.shipped}))
    fresh.replace(folder / "cursor")
