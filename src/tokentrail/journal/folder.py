"""Which files a journal has.

    <journal>/<writer id>/alive            locked (flock) as long as the writer lives
    <journal>/<writer id>/shipping         locked by the one process that ships this writer's records
    <journal>/<writer id>/00000001.journal, 00000002.journal, …   the records
    <journal>/<writer id>/cursor           how far they are acknowledged
    <journal>/<writer id>/refused.7-18     an empty file: its name tells which numbers were refused, where no record could
    <journal>/aside/<writer id>-<number>.json    single records that the Collector refuses for good

Whatever else lies there is nobody's of these, and is left alone.
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
from tokentrail.journal.places import take_place
from tokentrail.journal.volume import CANNOT_GROW, check_fits

__all__ = [
    "ALIVE",
    "ASIDE",
    "SHIPPING",
    "Cursor",
    "Lock",
    "NoLocks",
    "is_alive",
    "load_cursor",
    "segments",
    "size_of",
    "store_cursor",
    "without_locks",
    "writer_folders",
]

ALIVE: Final = "alive"
SHIPPING: Final = "shipping"
ASIDE: Final = "aside"
CURSOR: Final = "cursor"
CURSOR_BYTES: Final = 512
"""A cursor's file always has them, so that a new cursor fits over an old one where the disk is full."""
SUFFIX: Final = ".journal"
_WRITER = re.compile(r"[0-9a-f]{32}").fullmatch
_BEGUN = re.compile(r"\.[0-9a-f]{32}").fullmatch
_SEGMENT = re.compile(r"[0-9]{8,}\.journal").fullmatch


def without_locks(root: Path, error: OSError) -> str:
    """One sentence on a journal whose file system has no locks."""
    return (
        f"the file system of the journal {root} has no locks ({error.strerror}): each process ships what it writes itself, but what others left "
        "cannot be adopted, since nobody can see whether its writer lives. Use a local volume, or run `tokentrail journal ship --without-locks` "
        "while nothing writes there"
    )


def is_alive(folder: Path) -> bool:
    """Whether the folder's writer still runs (its lock is held). Raises `NoLocks` where nobody can know."""
    return is_locked(folder / ALIVE)


def _age(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:
        return 0


def writer_folders(root: Path) -> list[Path]:
    """The folders of all writers, oldest first."""
    try:
        found = [entry for entry in os.scandir(root) if _WRITER(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []
    return [Path(entry.path) for entry in sorted(found, key=_age)]


def abandoned_beginnings(root: Path, older_than: float) -> Iterator[Path]:
    """Folders that a writer began and did not live to name, last touched before that time (unix seconds)."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(root):
            if _BEGUN(entry.name) and entry.is_dir() and _age(entry) < older_than * 1e9:
                yield Path(entry.path)


def segments(folder: Path) -> list[Path]:
    """A writer's files in the order they were written."""
    try:
        return [Path(entry.path) for entry in sorted(os.scandir(folder), key=lambda entry: entry.name) if _SEGMENT(entry.name) and entry.is_file()]
    except FileNotFoundError:
        return []


def segment_path(folder: Path, number: int) -> Path:
    """The writer's file of that number."""
    return folder / f"{number:08d}{SUFFIX}"


def size_of(root: Path) -> int:
    """Bytes of all records in the journal: those of other processes and those put aside included."""
    total = 0
    for folder in [*writer_folders(root), root / ASIDE]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat().st_size
    return total


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """All before `offset` in `segment` (and all earlier segments) is acknowledged.

    `last_seq` is the highest number among it, that of a refusal included; `damaged` are numbers up to it that could not be read, as ranges;
    `closed` says that the writer's own closing record is among it. `behind` are size and checksum of the frame that ends at the offset, if a good one
    does: so it shows whether the file is still the one that was read.
    """

    segment: str = ""
    offset: int = 0
    last_seq: int = 0
    shipped: int = 0
    damaged: tuple[tuple[int, int], ...] = ()
    closed: bool = False
    behind: tuple[int, int] = (0, 0)


_encode_cursor = msgspec.json.Encoder().encode
_decode_cursor = msgspec.json.Decoder(Cursor).decode


def load_cursor(folder: Path) -> Cursor:
    """The stored cursor; one that is missing or damaged starts anew, which repeats records and counts nothing twice.

    It carries a checksum, and says whose it is: a wrong digit, or another writer's cursor, would otherwise skip records that nobody has acknowledged.
    """
    try:
        stored = next(scan((folder / CURSOR).read_bytes()), None)
        # before it was said whose a cursor is, the number was 0
        return _decode_cursor(stored.payload) if isinstance(stored, Frame) and stored.number in (0, _owner(folder)) else Cursor()
    except (OSError, msgspec.MsgspecError):
        return Cursor()


def _owner(folder: Path) -> int:
    """The writer of a folder, which may still be unnamed, as the number of its cursor's frame."""
    return zlib.crc32(folder.name.removeprefix(".").encode())


def store_cursor(folder: Path, cursor: Cursor) -> None:
    """Replace the cursor in one step; on a full disk write over the old one. Raises `OSError` where there is none to be written over."""
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
        # torn by a crash it has a wrong checksum, and records are repeated
        with path.open("r+b", buffering=0) as file:
            if file.write(data) != len(data):
                raise


def _replace(path: Path, fresh: Path, data: bytes) -> None:
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except IsADirectoryError:
        for place in (path, fresh):
            take_place(place)
        fresh.write_bytes(data)
        fresh.replace(path)


def sync_folder(folder: Path) -> None:
    """Make a new name in the folder survive power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
