"""The reading end: a writer's records from its cursor on. Torn bytes are skipped and named, never fatal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.frames import HEADER_BYTES, MARK, MAX_FRAME, Damage, Frame, is_frame, scan
from tokentrail.journal.records import Header, Record, coarsened, decode, gaps
from tokentrail.journal.refusals import load_refused
from tokentrail.usage import Closing, Refused

__all__ = ["Found", "Summary", "believed", "header_of", "passed", "read", "summarize"]

MAX_DAMAGED_RANGES: Final = 16
"""Of a cursor, which lies in a file of fixed size. A number between two ranges that arrived is not taken for a damaged one."""
WINDOW: Final = 4 * 1024 * 1024
"""Bytes that are read at once; a file may be as large as its setting says."""


class Found(msgspec.Struct, frozen=True):
    """A record (or, where `record` is `None`, damage), and the cursor once all up to here is acknowledged.

    `left_out` are the numbers before it that nothing accounts for; `lost`: at least one number lay in the damage, and nobody knows which.
    """

    record: Record | None
    number: int
    after: layout.Cursor
    payload: bytes = b""
    damaged_bytes: int = 0
    lost: bool = False
    behind: tuple[int, int] = (0, 0)
    left_out: tuple[tuple[int, int], ...] = ()


def read(folder: Path, cursor: layout.Cursor, *, live: bool) -> Iterator[Found]:
    """All records after the cursor, in order. In a live writer's last file the reader stops at bytes that are no frame yet."""
    cursor = believed(folder, cursor)
    paths = layout.segments(folder)
    first = True
    for path in paths:
        if path.name < cursor.segment:
            continue
        start = cursor.offset if path.name == cursor.segment else 0
        last = path == paths[-1]
        for piece, end in _pieces(path, start, growing=live and last):
            found = _damage(piece, cursor, lost=piece.lost and last) if isinstance(piece, Damage) else _found(piece, cursor)
            if first and path == paths[0]:
                cursor = _without_cursor(cursor, found)
            first = False
            missed = left_out(cursor, found)
            cursor = passed(cursor, found, path.name, end)
            yield Found(found.record, found.number, cursor, found.payload, found.damaged_bytes, found.lost, found.behind, missed)


def _without_cursor(cursor: layout.Cursor, found: Found) -> layout.Cursor:
    """Where the cursor is lost, and the first file is whole: the files before were acknowledged and removed, so their numbers are not damaged."""
    if cursor.last_seq or not isinstance(found.record, Header):
        return cursor
    return msgspec.structs.replace(cursor, last_seq=found.record.first_seq - 1)


def believed(folder: Path, cursor: layout.Cursor) -> layout.Cursor:
    """The cursor, at a place that the files bear out: else it begins again with the file in question, or with the first one.

    Files are cut, replaced and restored by others. What is read twice counts once; what is passed over is lost.
    """
    paths = layout.segments(folder)
    if not paths or not cursor.segment:
        return cursor
    if cursor.segment > paths[-1].name:
        return msgspec.structs.replace(cursor, segment="", offset=0, behind=(0, 0))
    path = folder / cursor.segment
    if cursor.offset and path in paths and not _continues(path, cursor):
        return msgspec.structs.replace(cursor, offset=0, behind=(0, 0))
    return cursor


def _continues(path: Path, cursor: layout.Cursor) -> bool:
    """Whether the frame that was read last still ends at the cursor's offset."""
    size, checksum = cursor.behind
    try:
        with path.open("rb") as file:
            if cursor.offset > file.seek(0, 2):
                return False
            file.seek(max(0, cursor.offset - size))
            return not size or is_frame(file.read(size), checksum)
    except FileNotFoundError:
        return True


def passed(cursor: layout.Cursor, found: Found, segment: str, offset: int) -> layout.Cursor:
    """The cursor behind what was found: a number that was left out before it, and not refused, cannot be read any more."""
    record = found.record
    if found.number == cursor.last_seq + 1 and record is not None:
        return layout.Cursor(segment, offset, found.number, cursor.shipped + 1, cursor.damaged, cursor.closed, found.behind)
    damaged = cursor.damaged
    if missed := left_out(cursor, found):
        damaged = tuple(coarsened([*damaged, *missed], MAX_DAMAGED_RANGES))
    last_seq = max(cursor.last_seq, _accounted(cursor, found)[1])
    closed = cursor.closed or isinstance(record, Closing)
    return layout.Cursor(segment, offset, last_seq, cursor.shipped + (found.number > 0), damaged, closed, found.behind)


def left_out(cursor: layout.Cursor, found: Found) -> tuple[tuple[int, int], ...]:
    """The numbers after the cursor that were given before what was found, and that neither a record nor a refusal accounts for."""
    if found.number == cursor.last_seq + 1 and found.record is not None:
        return ()
    ranges, highest = _accounted(cursor, found)
    return tuple(gaps(cursor.last_seq + 1, highest, ranges))


def _accounted(cursor: layout.Cursor, found: Found) -> tuple[list[tuple[int, int]], int]:
    """The numbers that what was found accounts for, and the highest number that was given up to it."""
    record, number = found.record, found.number
    if isinstance(record, Refused):
        return record.ranges, max((high for _, high in record.ranges), default=0)
    if isinstance(record, Closing):
        return [], record.last_seq
    if record is None:
        return [], max(number, cursor.last_seq + 1) if found.lost else number
    return [(number, number)], number


def _pieces(path: Path, start: int, *, growing: bool) -> Iterator[tuple[Frame | Damage, int]]:
    """Frames and damage of one file, each with the file's offset after it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        if start > file.seek(0, 2):
            start = 0  # the file was cut by somebody: what is in it now may be new
        empty = not start  # no record was found yet
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
                    piece = _begun(piece, data) if empty else piece  # noqa: PLW2901 - the same bytes
                empty = empty and not (isinstance(piece, Frame) and piece.number)
                yield piece, start + piece.end
            start += taken
            if last:
                return


def _begun(piece: Damage, data: bytes) -> Damage:
    """The end of a file that was begun for a record, and has none."""
    return msgspec.structs.replace(piece, lost=not data.startswith(MARK, piece.start))


def _damage(piece: Damage, cursor: layout.Cursor, *, lost: bool) -> Found:
    """Damage at a file's end: its last number is taken for true if so many frames may have lain there."""
    size = piece.end - piece.start
    may_be = piece.tail and cursor.last_seq < piece.number <= cursor.last_seq + size // HEADER_BYTES
    return Found(None, piece.number if may_be else 0, cursor, damaged_bytes=size, lost=lost)


def _found(piece: Frame, cursor: layout.Cursor) -> Found:
    behind = HEADER_BYTES + len(piece.payload), piece.checksum
    try:
        record = decode(piece.payload)
    except msgspec.MsgspecError:
        return Found(None, piece.number, cursor, damaged_bytes=len(piece.payload), behind=behind)
    return Found(record, piece.number, cursor, payload=piece.payload, behind=behind)


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
    """What a writer's folder holds: for adoption and for `tokentrail journal status`.

    `missing`: numbers that no Collector has, and that are neither here nor told. `unreported`: numbers that were refused, as no record tells.
    """

    writer_id: str
    header: Header
    records: int = 0
    waiting: int = 0
    last_seq: int = 0
    closed: bool = False
    damaged_bytes: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    unreported: list[tuple[int, int]] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether this version of tokentrail knows all that may stand in the records."""
        return self.header.schema <= semconv.SCHEMA_VERSION


def summarize(folder: Path, *, live: bool = False, cursor: layout.Cursor | None = None) -> Summary:
    """Read a folder once, from its first file to its end, whatever is acknowledged already (up to the cursor, else the stored one)."""
    stated = cursor or layout.load_cursor(folder)
    cursor = believed(folder, stated)
    summary = Summary(folder.name, header_of(folder), unreported=load_refused(folder))
    end, first = cursor, True
    begin = next((path.name for path in layout.segments(folder)), "")
    for found in read(folder, layout.Cursor(), live=live):
        summary.damaged_bytes += found.damaged_bytes
        # what was acknowledged before it was spoiled is not missing
        known = stated if found.lost else cursor
        waits = (found.after.segment, found.after.offset) > (known.segment, known.offset)
        if found.number and found.record is not None:
            summary.records += 1
            summary.waiting += waits
        if waits:
            if first and found.after.segment == begin:
                end = _without_cursor(end, found)
            first = False
            end = passed(end, found, found.after.segment, found.after.offset)
    if summary.unreported:  # refused after all that is here, or between: the records around them say no word of them
        end = passed(end, Found(Refused(ranges=summary.unreported, ts=0), 0, end), end.segment, end.offset)
    summary.last_seq, summary.closed = end.last_seq, end.closed
    summary.missing = [pair for low, high in end.damaged for pair in gaps(low, high, summary.unreported)]
    return summary
