"""Reads a writer's records from the cursor on. Torn bytes are skipped and reported, never raised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.frames import FORMAT, HEADER_BYTES, MAX_FRAME, Damage, Frame, is_frame, scan
from tokentrail.journal.records import Header, Record, coarsen, decode, gaps
from tokentrail.journal.refusals import load_refused
from tokentrail.private_files import open_file
from tokentrail.usage import Closing, Refused

__all__ = ["Found", "Summary", "advance", "header_of", "read", "summarize", "validate_cursor"]

MAX_DAMAGED_RANGES: Final = 16
"""Limit of a cursor, whose file has a fixed size. Joined ranges are safe: a number between two ranges that arrived does not count as damaged."""
WINDOW: Final = 4 * 1024 * 1024
"""Bytes that are read at once; a segment may be as large as its setting allows."""


class Found(msgspec.Struct, gc=False):
    """A record (or damage, if `record` is `None`), and the cursor once everything up to this record is acknowledged.

    `unfinished_bytes`: the beginning of a record whose append never returned, since the process was killed meanwhile; no damage. `missing` are the
    numbers before this record that no record and no refusal accounts for; `lost`: the damage held at least one record, with an unknown number.
    """

    record: Record | None
    number: int
    after: layout.Cursor
    payload: bytes = b""
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    lost: bool = False
    behind: tuple[int, int] = (0, 0)
    missing: tuple[tuple[int, int], ...] = ()


def read(folder: Path, cursor: layout.Cursor, *, live: bool) -> Iterator[Found]:
    """Yields all records after the cursor, in order. In the last segment of a live writer the reader stops at an unfinished frame."""
    stated = cursor
    cursor = validate_cursor(folder, cursor)
    paths = layout.segments(folder)
    first = True
    for path in paths:
        name = path.name
        if layout.order(name) < layout.order(cursor.segment):
            continue
        start = cursor.offset if name == cursor.segment else 0
        last = path == paths[-1]
        for piece, end in _pieces(path, start, growing=live and last):
            if isinstance(piece, Damage):
                # a record that was acknowledged before its bytes were damaged is not lost, and none follows the closing record
                known = cursor.closed or (layout.order(name), end) <= stated.place
                found = _describe_damage(piece, cursor, last=last, known=known)
            else:
                found = _decode_frame(piece, cursor)
            if first and path == paths[0]:
                cursor = _skip_removed_files(cursor, found)
            first = False
            missed = missing_before(cursor, found)
            cursor = advance(cursor, found, name, end)
            yield Found(
                found.record, found.number, cursor, found.payload, found.damaged_bytes, found.unfinished_bytes, found.lost, found.behind, missed
            )


def _skip_removed_files(cursor: layout.Cursor, found: Found) -> layout.Cursor:
    """Advances an initial cursor to the first segment's header: earlier segments were acknowledged and removed, so their numbers are not damaged."""
    if cursor.last_seq or not isinstance(found.record, Header):
        return cursor
    return msgspec.structs.replace(cursor, last_seq=found.record.first_seq - 1)


def validate_cursor(folder: Path, cursor: layout.Cursor) -> layout.Cursor:
    """Returns the cursor if the segments match it, else a cursor at the beginning of its segment, or of the first segment.

    Other programs truncate, replace and restore files. A record that is read twice counts once; a record that is skipped is lost.
    """
    paths = layout.segments(folder)
    if not paths or not cursor.segment:
        return cursor
    if layout.order(cursor.segment) > layout.order(paths[-1].name):
        return msgspec.structs.replace(cursor, segment="", offset=0, behind=(0, 0))
    path = folder / cursor.segment
    if cursor.offset and path in paths and not _continues(path, cursor):
        return msgspec.structs.replace(cursor, offset=0, behind=(0, 0))
    return cursor


def _continues(path: Path, cursor: layout.Cursor) -> bool:
    """Whether the last acknowledged frame still ends at the cursor's offset."""
    size, checksum = cursor.behind
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            if cursor.offset > file.seek(0, 2):
                return False
            file.seek(max(0, cursor.offset - size))
            return not size or is_frame(file.read(size), checksum)
    except FileNotFoundError:
        return True


def advance(cursor: layout.Cursor, found: Found, segment: str, offset: int) -> layout.Cursor:
    """Returns the cursor after `found`. A missing number before it that was not refused counts as damaged."""
    record = found.record
    if found.number == cursor.last_seq + 1 and record is not None:
        return layout.Cursor(segment, offset, found.number, cursor.shipped + 1, cursor.damaged, cursor.closed, found.behind)
    damaged = cursor.damaged
    if missed := missing_before(cursor, found):
        damaged = tuple(coarsen([*damaged, *missed], MAX_DAMAGED_RANGES))
    last_seq = max(cursor.last_seq, _accounted_numbers(cursor, found)[1])
    closed = cursor.closed or isinstance(record, Closing)
    return layout.Cursor(segment, offset, last_seq, cursor.shipped + (found.number > 0), damaged, closed, found.behind)


def missing_before(cursor: layout.Cursor, found: Found) -> tuple[tuple[int, int], ...]:
    """Returns the numbers between the cursor and `found` that no record and no refusal accounts for, as ranges."""
    if found.number == cursor.last_seq + 1 and found.record is not None:
        return ()
    ranges, highest = _accounted_numbers(cursor, found)
    return tuple(gaps(cursor.last_seq + 1, highest, ranges))


def _accounted_numbers(cursor: layout.Cursor, found: Found) -> tuple[list[tuple[int, int]], int]:
    """Returns the numbers that `found` accounts for, as ranges, and the highest number given up to that record."""
    record, number = found.record, found.number
    if isinstance(record, Refused):
        return record.ranges, max((high for _, high in record.ranges), default=0)
    if isinstance(record, Closing):
        return [], record.last_seq
    if record is None:
        return [], max(number, cursor.last_seq + 1) if found.lost else number
    return [(number, number)], number


def _pieces(path: Path, start: int, *, growing: bool) -> Iterator[tuple[Frame | Damage, int]]:
    """Yields frames and damage of one segment, each with the offset after it."""
    try:
        file = os.fdopen(open_file(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        return
    with file:
        if start > file.seek(0, 2):
            start = 0  # the file was truncated from outside: its contents may be new
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
                        # the window may end inside a good frame: bytes too far from the window's end to begin a frame are damage
                        taken = max(piece.start, taken - MAX_FRAME)
                        if taken > piece.start:
                            yield Damage(piece.start, taken, tail=False), start + taken
                        break
                    lost = not piece.begun and (empty or bool(data[piece.start :].strip(b"\0")))
                    piece = msgspec.structs.replace(piece, lost=lost)  # noqa: PLW2901 - the same bytes
                empty = empty and not (isinstance(piece, Frame) and piece.number)
                yield piece, start + piece.end
            start += taken
            if last:
                return


def _describe_damage(piece: Damage, cursor: layout.Cursor, *, last: bool, known: bool) -> Found:
    """Returns damage as `Found`; `last`: in the writer's last segment, where a record may be unfinished; `known`: acknowledged before.

    The kernel ends a write between two pages if the process is killed. The last number of a tail is accepted only if the damaged bytes have room for
    so many frames.
    """
    size = piece.end - piece.start
    if last and piece.begun:
        return Found(None, 0, cursor, unfinished_bytes=size)
    may_be = piece.tail and cursor.last_seq < piece.number <= cursor.last_seq + size // HEADER_BYTES
    return Found(None, piece.number if may_be else 0, cursor, damaged_bytes=size, lost=piece.lost and last and not known)


def _decode_frame(piece: Frame, cursor: layout.Cursor) -> Found:
    behind = HEADER_BYTES + len(piece.payload), piece.checksum
    try:
        record, payload = decode(piece.payload, piece.format)
    except msgspec.MsgspecError:
        return Found(None, piece.number, cursor, damaged_bytes=len(piece.payload), behind=behind)
    return Found(record, piece.number, cursor, payload=payload, behind=behind)


def header_of(folder: Path) -> Header:
    """Returns the header of a writer's folder. All segments of a writer have the same identity, so the first readable header is enough.

    `created` is 0 where no segment has a readable header: all are torn, or the writer has not begun a segment yet.
    """
    for path in layout.segments(folder):
        try:
            with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
                first = next(scan(file.read(MAX_FRAME)), None)
        except FileNotFoundError:
            continue
        if isinstance(first, Frame):
            if first.format > FORMAT:
                return Header(writer_id=folder.name, created=0, first_seq=0, schema=semconv.SCHEMA_VERSION + 1)
            record = _decode_frame(first, layout.Cursor()).record
            if isinstance(record, Header):
                return record
    # all headers are torn: the records are good without a header, only the service's name is lost
    return Header(writer_id=folder.name, created=0, first_seq=0)


@dataclass(slots=True)
class Summary:
    """The contents of a writer's folder: for adoption and for `tokentrail journal status`.

    `missing`: numbers that are neither acknowledged, nor in the folder, nor refused. `unreported`: refused numbers that no record reports.
    `acknowledged` is the highest number that is acknowledged, or was refused and reported.
    """

    writer_id: str
    header: Header
    records: int = 0
    waiting: int = 0
    acknowledged: int = 0
    last_seq: int = 0
    closed: bool = False
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    unreported: list[tuple[int, int]] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether this version of tokentrail supports the schema of the records."""
        return self.header.schema <= semconv.SCHEMA_VERSION


def summarize(folder: Path, *, live: bool = False) -> Summary:
    """Reads a whole folder once, acknowledged records included."""
    stated = layout.load_cursor(folder)
    cursor = validate_cursor(folder, stated)
    summary = Summary(folder.name, header_of(folder), acknowledged=stated.last_seq, unreported=load_refused(folder))
    end, first = cursor, True
    begin = next((path.name for path in layout.segments(folder)), "")
    for found in read(folder, layout.Cursor(), live=live):
        summary.damaged_bytes += found.damaged_bytes
        summary.unfinished_bytes += found.unfinished_bytes
        # a record that was acknowledged before its bytes were damaged is not missing
        known = stated if found.lost else cursor
        waits = found.after.place > known.place
        if found.number and found.record is not None:
            summary.records += 1
            summary.waiting += waits
        if waits:
            if first and found.after.segment == begin:
                end = _skip_removed_files(end, found)
            first = False
            end = advance(end, found, found.after.segment, found.after.offset)
    if summary.unreported:  # refused after or between the records of the folder, which do not report these numbers
        end = advance(end, Found(Refused(ranges=summary.unreported, ts=0), 0, end), end.segment, end.offset)
    summary.last_seq, summary.closed = end.last_seq, end.closed
    summary.missing = [pair for low, high in end.damaged for pair in gaps(low, high, summary.unreported)]
    return summary
