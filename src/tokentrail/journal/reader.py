"""The reading end: a writer's records from its cursor on. Torn bytes are skipped and named, never fatal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.frames import MAX_FRAME, Damage, Frame, scan
from tokentrail.journal.records import Header, Record, decode, gaps
from tokentrail.usage import Closing, Refused

__all__ = ["Found", "Summary", "header_of", "read", "summarize"]

WINDOW: Final = 4 * 1024 * 1024
"""Bytes that are read at once; a file may be as large as its setting says."""


class Found(msgspec.Struct, frozen=True):
    """A record (or, where `record` is `None`, damage), and the cursor once all up to here is acknowledged."""

    record: Record | None
    number: int
    after: layout.Cursor
    payload: bytes = b""
    damaged_bytes: int = 0


def read(folder: Path, cursor: layout.Cursor, *, live: bool) -> Iterator[Found]:
    """All records after the cursor, in order. In a live writer's last file the reader stops at bytes that are no frame yet."""
    paths = layout.segments(folder)
    for path in paths:
        if path.name < cursor.segment:
            continue
        start = cursor.offset if path.name == cursor.segment else 0
        for piece, end in _pieces(path, start, growing=live and path == paths[-1]):
            if isinstance(piece, Damage):
                cursor = layout.Cursor(path.name, end, cursor.last_seq, cursor.shipped)
                yield Found(None, 0, cursor, damaged_bytes=piece.end - piece.start)
            else:
                cursor = layout.Cursor(path.name, end, max(cursor.last_seq, piece.number), cursor.shipped + (piece.number > 0))
                yield _found(piece, cursor)


def _pieces(path: Path, start: int, *, growing: bool) -> Iterator[tuple[Frame | Damage, int]]:
    """Frames and damage of one file, each with the file's offset after it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        if start > file.seek(0, 2):
            start = 0  # the file was cut by somebody: what is in it now may be new
        while True:
            file.seek(start)
            data = file.read(WINDOW)
            taken = len(data)
            last = taken < WINDOW
            for piece in scan(data):
                if isinstance(piece, Damage) and piece.tail:
                    if last and growing:
                        return
                    if not last:
                        # the window may end inside a good frame: what is too far from its end to be the beginning of one is damage
                        taken = max(piece.start, taken - MAX_FRAME)
                        if taken > piece.start:
                            yield Damage(piece.start, taken, tail=False), start + taken
                        break
                yield piece, start + piece.end
            start += taken
            if last:
                return


def _found(piece: Frame, cursor: layout.Cursor) -> Found:
    try:
        record = decode(piece.payload)
    except msgspec.MsgspecError:
        return Found(None, piece.number, cursor, damaged_bytes=len(piece.payload))
    return Found(record, piece.number, cursor, payload=piece.payload)


def header_of(folder: Path) -> Header:
    """Whose records these are: a writer says the same at the beginning of each of its files, so the first good one will do."""
    for path in layout.segments(folder):
        try:
            with path.open("rb") as file:
                first = next(scan(file.read(MAX_FRAME)), None)
        except FileNotFoundError:
            continue
        if isinstance(first, Frame):
            record = _found(first, layout.Cursor()).record
            if isinstance(record, Header):
                return record
    # torn: the records are good without it, only the service's name is lost
    return Header(writer_id=folder.name, created=0, first_seq=0)


@dataclass(slots=True)
class Summary:
    """What a writer's folder holds: for adoption and for `tokentrail journal status`. `missing`: numbers that are neither here nor told."""

    writer_id: str
    header: Header
    records: int = 0
    waiting: int = 0
    last_seq: int = 0
    closed: bool = False
    damaged_bytes: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether this version of tokentrail knows all that may stand in the records."""
        return self.header.schema <= semconv.SCHEMA_VERSION


def summarize(folder: Path, *, live: bool = False) -> Summary:
    """Read a folder once, from its first file to its end, whatever is acknowledged already."""
    cursor = layout.load_cursor(folder)
    summary = Summary(folder.name, header_of(folder), last_seq=cursor.last_seq)
    known: list[tuple[int, int]] = []  # numbers that were found or told, as ranges
    before = -1  # the number before the first that may be found here
    for found in read(folder, layout.Cursor(), live=live):
        summary.damaged_bytes += found.damaged_bytes
        record = found.record
        if isinstance(record, Header):
            before = record.first_seq - 1 if before < 0 and not known else before
            summary.last_seq = max(summary.last_seq, record.first_seq - 1)
        elif isinstance(record, Refused):
            known.extend(record.ranges)
        elif isinstance(record, Closing):
            summary.closed = True
            summary.last_seq = max(summary.last_seq, record.last_seq)
        elif record is not None:
            if known and known[-1][1] == found.number - 1:
                known[-1] = (known[-1][0], found.number)
            else:
                known.append((found.number, found.number))
            summary.records += 1
            summary.waiting += (found.after.segment, found.after.offset) > (cursor.segment, cursor.offset)
    summary.last_seq = max([summary.last_seq, *(high for _, high in known)])
    # with a torn first header: what is acknowledged may have been removed with its file
    first = before if before >= 0 else min([cursor.last_seq, *(low - 1 for low, _ in known)])
    summary.missing = gaps(first + 1, summary.last_seq, known)
    return summary
