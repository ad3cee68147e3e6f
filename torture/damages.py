"""Damage to the files of a journal, as disks, copies and people do it; each function returns the numbers of the records that it has destroyed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tokentrail.journal.folder import CURSOR, segments
from tokentrail.journal.frames import Frame, scan

__all__ = ["DAMAGES", "FOREIGN", "Place", "places"]

FOREIGN: Final = "foreign files"


@dataclass(frozen=True)
class Place:
    """Where a record stands before anything is damaged."""

    path: Path
    start: int
    end: int
    number: int
    operation: str


def places(folder: Path) -> list[Place]:
    """Returns all frames of a writer's folder, the segments' headers (number 0) included."""
    found = []
    for path in segments(folder):
        start = 0
        for piece in scan(path.read_bytes()):
            if not isinstance(piece, Frame):
                break
            operation = str(msgspec.json.decode(piece.payload).get("operation_id", ""))
            found.append(Place(path, start, piece.end, piece.number, operation))
            start = piece.end
    return found


def hit(found: Iterable[Place], path: Path, start: int, end: int) -> set[int]:
    """Returns the numbers of the records that overlap these bytes."""
    return {place.number for place in found if place.path == path and place.start < end and start < place.end and place.number}


def overwrite(path: Path, start: int, data: bytes) -> None:
    """Writes over bytes of a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def flip_bits(folder: Path, found: list[Place], rng: random.Random) -> set[int]:
    """Flips single bits anywhere."""
    gone: set[int] = set()
    for _ in range(rng.randrange(1, 6)):
        path = rng.choice(segments(folder))
        at = rng.randrange(path.stat().st_size)
        gone |= hit(found, path, at, at + 1)
        overwrite(path, at, bytes([path.read_bytes()[at] ^ 1 << rng.randrange(8)]))
    return gone


def zero_block(folder: Path, found: list[Place], rng: random.Random) -> set[int]:
    """Makes a block of a disk zeros."""
    path = rng.choice(segments(folder))
    size = path.stat().st_size
    start = rng.randrange(0, max(1, size // 512)) * 512
    end = min(size, start + rng.choice((512, 4096)))
    overwrite(path, start, bytes(end - start))
    return hit(found, path, start, end)


def truncate(folder: Path, found: list[Place], rng: random.Random) -> set[int]:
    """Cuts a file off."""
    path = rng.choice(segments(folder))
    size = path.stat().st_size
    at = rng.randrange(size)
    os.truncate(path, at)
    return hit(found, path, at, size)


def cut_out(folder: Path, found: list[Place], rng: random.Random) -> set[int]:
    """Takes bytes out of the middle; what follows moves up."""
    path = rng.choice(segments(folder))
    data = path.read_bytes()
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randrange(1, 5000))
    path.write_bytes(data[:start] + data[end:])
    return hit(found, path, start, end)


def lose_file(folder: Path, found: list[Place], rng: random.Random) -> set[int]:
    """Removes a whole segment."""
    path = rng.choice(segments(folder))
    path.unlink()
    return {place.number for place in found if place.path == path and place.number}


def double_file(folder: Path, _found: list[Place], rng: random.Random) -> set[int]:
    """Copies a segment under a later number, as a restored backup may lie beside its original."""
    paths = segments(folder)
    shutil.copy(rng.choice(paths), folder / f"{int(paths[-1].stem) + rng.randrange(1, 5):08d}.journal")
    return set()


def add_foreign_files(folder: Path, _found: list[Place], rng: random.Random) -> set[int]:
    """Puts files beside the journal's that are not the journal's, one of them under a segment's name."""
    for name in (".DS_Store", "00000001.journal~", "core", "lost+found.txt", "99999999.journal"):
        (folder / name).write_bytes(rng.randbytes(rng.randrange(2000)))
    (folder.parent / "notes.txt").write_text("of somebody")
    return set()


def spoil_cursor(folder: Path, _found: list[Place], rng: random.Random) -> set[int]:
    """Writes garbage over the cursor, or takes it away."""
    cursor = folder / CURSOR
    if rng.random() < 0.3:
        cursor.unlink(missing_ok=True)
    else:
        cursor.write_bytes(rng.randbytes(rng.choice((0, 7, 512, 4096))))
    return set()


DAMAGES: Final[dict[str, Callable[[Path, list[Place], random.Random], set[int]]]] = {
    "bits flipped": flip_bits,
    "a block of zeros": zero_block,
    "a file cut off": truncate,
    "bytes cut out": cut_out,
    "a file lost": lose_file,
    "a file doubled": double_file,
    FOREIGN: add_foreign_files,
    "a spoilt cursor": spoil_cursor,
}
