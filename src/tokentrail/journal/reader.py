"""The reading end: a writer's records from its cursor on. Torn bytes are skipped and named, never fatal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.frames import Damage, Frame, scan
from tokentrail.journal.records import Header, Record, decode, join_ranges
from tokentrail.usage import Closing, Refused

__all__ = ["Found", "Summary", "read", "summarize"]


@dataclass(frozen=True, slots=True)
class Found:
    """A record (or, where `record` is `None`, damage or a file's end), and the cursor once all up to here is acknowledged."""

    record: Record | None
    number: int
    after: layout.Cursor
    size: int = 0
    damaged_bytes: int = 0


def read(folder: Path, cursor: layout.Cursor, *, live: bool) -> Iterator[Found]:
    """All records after the cursor, in order. In a live writer's last file the reader stops at bytes that are no frame yet."""
    paths = layout.segments(folder)
    for path in paths:
        if path.name < cursor.segment:
            continue
        start = cursor.offset if path.name == cursor.segment else 0
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            continue
        growing = live and path == paths[-1]
        for piece in scan(data):
            if isinstance(piece, Damage):
                if piece.tail and growing:
                    return
                cursor = layout.Cursor(path.name, start + piece.end, cursor.last_seq, cursor.shipped)
                yield Found(None, 0, cursor, damaged_bytes=piece.end - piece.start)
                continue
            cursor = layout.Cursor(path.name, start + piece.end, max(cursor.last_seq, piece.number), cursor.shipped + (piece.number > 0))
            yield _found(piece, cursor)


def _found(piece: Frame, cursor: layout.Cursor) -> Found:
    try:
        record = decode(piece.payload)
    except msgspec.MsgspecError:
        return Found(None, piece.number, cursor, damaged_bytes=len(piece.payload))
    return Found(record, piece.number, cursor, size=len(piece.payload))


@dataclass(slots=True)
class Summary:
    """What a writer's folder holds: for adoption and for `tokentrail journal status`."""

    writer_id: str
    header: Header | None = None
    records: int = 0
    waiting: int = 0
    last_seq: int = 0
    closed: bool = False
    damaged_bytes: int = 0
    missing: list[tuple[int, int]] | None = None
    readable: bool = True


def summarize(folder: Path) -> Summary:
    """Read a folder once, from its first file to its end, whatever is acknowledged already."""
    cursor = layout.load_cursor(folder)
    summary = Summary(folder.name, last_seq=cursor.last_seq)
    seen: set[int] = set()
    told: set[int] = set()
    first = cursor.last_seq
    for found in read(folder, layout.Cursor(), live=False):
        summary.damaged_bytes += found.damaged_bytes
        record = found.record
        if isinstance(record, Header):
            if summary.header is None:
                first = record.first_seq - 1 if record.first_seq else 0
            summary.header = record
            summary.last_seq = max(summary.last_seq, record.first_seq - 1)
            summary.readable = summary.readable and record.schema <= semconv.SCHEMA_VERSION
        elif isinstance(record, Refused):
            for low, high in record.ranges:
                told.update(range(low, high + 1))
        elif isinstance(record, Closing):
            summary.closed = True
        elif found.number:
            seen.add(found.number)
            summary.records += 1
            after = found.after
            summary.waiting += (after.segment, after.offset) > (cursor.segment, cursor.offset)
    summary.last_seq = max(summary.last_seq, *seen, *told) if seen or told else summary.last_seq
    missing = [number for number in range(first + 1, summary.last_seq + 1) if number not in seen and number not in told]
    summary.missing = join_ranges(missing)
    return summary
