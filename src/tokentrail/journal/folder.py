"""The files of a journal.

    <journal>/<writer id>/alive            locked (flock) as long as the writer is alive
    <journal>/<writer id>/shipping         locked by the one process that ships this writer's records
    <journal>/<writer id>/00000001.journal, 00000002.journal, …   the segments
    <journal>/<writer id>/cursor           how far the records are acknowledged
    <journal>/<writer id>/refused.7-18     an empty file: its name lists refused numbers that no record reports
    <journal>/aside/<writer id>-<number>.json    single records that the Collector refuses for good

Other files do not belong to the journal, and are left alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tokentrail.journal.frames import Frame, frame, scan
from tokentrail.journal.locks import Lock, NoLocks, is_locked
from tokentrail.journal.places import remove_empty_folder
from tokentrail.journal.volume import CANNOT_GROW, check_fits
from tokentrail.private_files import open_file, read_file, write_file

__all__ = [
    "ALIVE",
    "ASIDE",
    "SHIPPING",
    "Cursor",
    "Lock",
    "NoLocks",
    "is_alive",
    "load_cursor",
    "no_locks_sentence",
    "segments",
    "size_of",
    "store_cursor",
    "writer_folders",
]

ALIVE: Final = "alive"
SHIPPING: Final = "shipping"
ASIDE: Final = "aside"
CURSOR: Final = "cursor"
CURSOR_BYTES: Final = 512
"""Size of every cursor file, so that a new cursor fits over an old one where the disk is full."""
SUFFIX: Final = ".journal"
_WRITER = re.compile(r"[0-9a-f]{32}").fullmatch
_UNNAMED = re.compile(r"\.[0-9a-f]{32}").fullmatch
_SEGMENT = re.compile(r"[0-9]{8,}\.journal").fullmatch


def no_locks_sentence(root: Path, error: OSError) -> str:
    """Returns the sentence that reports a journal on a file system without locks."""
    return (
        f"the file system of the journal {root} has no locks ({error.strerror}): each process ships what it writes itself, but what others left "
        "cannot be adopted, since nobody can see whether its writer lives. Use a local volume, or run `tokentrail journal ship --without-locks` "
        "while nothing writes there"
    )


def is_alive(folder: Path) -> bool:
    """Whether the folder's writer is alive (its lock is held). Raises `NoLocks` on a file system without locks."""
    return is_locked(folder / ALIVE)


def _age(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:
        return 0


def writer_folders(root: Path) -> list[Path]:
    """Returns the folders of all writers, oldest first."""
    try:
        found = [entry for entry in os.scandir(root) if _WRITER(entry.name) and entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [Path(entry.path) for entry in sorted(found, key=_age)]


def abandoned_folders(root: Path, older_than: float) -> Iterator[Path]:
    """Yields folders whose writer died before renaming the folder, last modified before that time (unix seconds)."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(root):
            if _UNNAMED(entry.name) and entry.is_dir(follow_symlinks=False) and _age(entry) < older_than * 1e9:
                yield Path(entry.path)


def segments(folder: Path) -> list[Path]:
    """Returns a writer's segments in the order of writing."""
    try:
        found = [entry for entry in os.scandir(folder) if _SEGMENT(entry.name) and entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [Path(entry.path) for entry in sorted(found, key=lambda entry: order(entry.name))]


def order(name: str) -> tuple[int, str]:
    """Returns the sort key of a segment's name: that of the number, which may have more than eight digits. An empty name comes first."""
    return len(name), name


def last_number(folder: Path) -> int:
    """Returns the highest number of a segment in the folder, whoever put the file there; 0 if there is none."""
    return max((int(path.stem) for path in segments(folder)), default=0)


def segment_path(folder: Path, number: int) -> Path:
    """Returns the path of the segment with that number."""
    return folder / f"{number:08d}{SUFFIX}"


def size_of(root: Path) -> int:
    """Returns the size of the journal in bytes: records of other processes and records put aside included."""
    total = 0
    for folder in [*writer_folders(root), root / ASIDE]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat().st_size
    return total


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """How far a writer's records are acknowledged: all records before `offset` in `segment`, and all earlier segments.

    `last_seq` is the highest acknowledged number, refused numbers included; `damaged` are the damaged numbers up to `last_seq`, as ranges; `closed`:
    the writer's closing record is acknowledged. `behind` is size and checksum of the good frame that ends at the offset, if there is one: a reader
    checks with `behind` that the file is unchanged.
    """

    segment: str = ""
    offset: int = 0
    last_seq: int = 0
    shipped: int = 0
    damaged: tuple[tuple[int, int], ...] = ()
    closed: bool = False
    behind: tuple[int, int] = (0, 0)

    @property
    def place(self) -> tuple[tuple[int, str], int]:
        """The sort key of cursors of one folder."""
        return order(self.segment), self.offset


_encode_cursor = msgspec.json.Encoder().encode
_decode_cursor = msgspec.json.Decoder(Cursor).decode


def load_cursor(folder: Path) -> Cursor:
    """Returns the stored cursor. A missing or damaged cursor becomes the initial one: records are sent again, and nothing is counted twice.

    The cursor's frame has a checksum and the writer's number: a wrong digit, or another writer's cursor, would otherwise skip records that the
    Collector has not acknowledged.
    """
    try:
        stored = next(scan(read_file(folder / CURSOR)), None)
        # a cursor of an older version has number 0, which names no writer
        return _decode_cursor(stored.payload) if isinstance(stored, Frame) and stored.number in (0, _owner(folder)) else Cursor()
    except (OSError, msgspec.MsgspecError):
        return Cursor()


def _owner(folder: Path) -> int:
    """Returns the number of the cursor's frame, computed from the writer id; the folder may still have its temporary name."""
    return zlib.crc32(folder.name.removeprefix(".").encode())


def store_cursor(folder: Path, cursor: Cursor) -> None:
    """Replaces the cursor file atomically; on a full disk overwrites the old file. Raises `OSError` if there is no old file to overwrite."""
    data = frame(_owner(folder), _encode_cursor(cursor)).ljust(CURSOR_BYTES, b"\0")
    path, fresh = folder / CURSOR, folder / f"{CURSOR}.new"
    check_fits(len(data))
    try:
        _replace(path, fresh, data)
    except OSError as error:
        if error.errno not in CANNOT_GROW:
            raise
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        # a cursor torn by a crash has a wrong checksum, and records are sent again
        with os.fdopen(open_file(path, os.O_RDWR), "r+b", buffering=0) as file:
            if file.write(data) != len(data):
                raise


def _replace(path: Path, fresh: Path, data: bytes) -> None:
    try:
        write_file(fresh, data)
        fresh.replace(path)
    except IsADirectoryError:
        for place in (path, fresh):
            remove_empty_folder(place)
        write_file(fresh, data)
        fresh.replace(path)


def sync_folder(folder: Path) -> None:
    """Syncs the folder to disk, so that a new name survives power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
