"""The layout of a frame: one record in a segment.

A frame is `mark (3) · format (1) · length (4) · checksum (4) · number (8) · payload`, integers little-endian. The mark lets a reader find the next
good frame after torn bytes: no UTF-8 text holds the byte F7. The checksum (CRC-32 of the payload, started from all of number and format) shows which
frames are good. Number 0 marks frames without a record number: a segment's header, refusals and the closing record.

The format states how the payload is written: 1 is msgpack, 2 (the only format that is written) is JSON, the very bytes that travel. A reader passes
no frame of a format that it does not know: a newer tokentrail wrote the frame.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = [
    "FORMAT",
    "HEADER_BYTES",
    "MARK",
    "MAX_FRAME",
    "MAX_PAYLOAD",
    "MSGPACK",
    "Damage",
    "Frame",
    "frame",
    "is_frame",
    "last_whole_number",
    "scan",
]

MARK: Final = b"\xf7TT"
MSGPACK: Final = 1
FORMAT: Final = 2
MAX_PAYLOAD: Final = 64 * 1024
_HEADER = struct.Struct("<3sBIIQ")
HEADER_BYTES: Final = _HEADER.size
MAX_FRAME: Final = HEADER_BYTES + MAX_PAYLOAD
_pack = _HEADER.pack


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A good frame: number, payload, the offset after the frame, checksum, and format.

    A struct, since every record read creates a `Frame`: a dataclass takes five times as long.
    """

    number: int
    payload: bytes
    end: int
    checksum: int
    format: int = FORMAT


class Damage(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no frame, from `start` to `end`; `tail` if no good frame follows (the writer may still be writing the frame).

    `number` is the last record number that the bytes of a tail show. `begun`: the bytes of the tail are the beginning of one frame, and nothing else.
    `lost`: a tail that is not `begun`, and was at least one record: its bytes are not all zero, or the segment has no record (a segment begins with a
    record to append).
    """

    start: int
    end: int
    tail: bool
    number: int = 0
    begun: bool = False
    lost: bool = False


def _checksum(payload: bytes, form: int, number: int) -> int:
    return zlib.crc32(payload, (number ^ number >> 32 ^ form - 1 << 24) & 0xFFFFFFFF)


_SALT: Final = FORMAT - 1 << 24


def frame(number: int, payload: bytes) -> bytes:
    """Returns one frame, to be written in a single call. The checksum is `_checksum`, without a function call: this is a step of each append."""
    return _pack(MARK, FORMAT, len(payload), zlib.crc32(payload, (number ^ number >> 32 ^ _SALT) & 0xFFFFFFFF), number) + payload


def _frame_at(data: bytes, offset: int) -> Frame | None:
    if offset + HEADER_BYTES > len(data):
        return None
    mark, form, length, checksum, number = _HEADER.unpack_from(data, offset)
    end = offset + HEADER_BYTES + length
    if mark != MARK or length > MAX_PAYLOAD or end > len(data):
        return None
    payload = data[offset + HEADER_BYTES : end]
    if _checksum(payload, form, number) != checksum:
        return None
    return Frame(number, payload, end, checksum, form)


def _is_beginning(data: bytes, start: int) -> bool:
    """Whether the bytes from `start` to the end are the beginning of one frame that was never written whole."""
    if data.find(MARK, start + 1) >= 0:
        return False
    if start + HEADER_BYTES > len(data):
        return MARK.startswith(data[start : start + len(MARK)])
    mark, _, length, _, _ = _HEADER.unpack_from(data, start)
    is_cut = mark == MARK and length <= MAX_PAYLOAD and start + HEADER_BYTES + length > len(data)
    return is_cut and not _whole_but_for_its_length(data, start)


def _whole_but_for_its_length(data: bytes, start: int) -> int:
    """Returns the number of a frame that ends with the data, and whose length alone is damaged; 0 if there is none."""
    if not data.startswith(MARK, start) or start + HEADER_BYTES > len(data):
        return 0
    _, form, _, checksum, number = _HEADER.unpack_from(data, start)
    return int(number) if _checksum(data[start + HEADER_BYTES :], form, number) == checksum else 0


def is_frame(data: bytes, checksum: int) -> bool:
    """Whether these bytes are the whole frame with this checksum; a truncated frame keeps its header."""
    found = _frame_at(data, 0)
    return found is not None and (found.end, found.checksum) == (len(data), checksum)


def last_whole_number(data: bytes, offset: int, end: int) -> int:
    """Returns the last number in damaged bytes whose frame has its full length: the frame was written, then damaged. Returns 0 if there is none."""
    number = 0
    while 0 <= (offset := data.find(MARK, offset, end)) <= end - HEADER_BYTES:
        _, _, length, _, stated = _HEADER.unpack_from(data, offset)
        if length <= MAX_PAYLOAD and offset + HEADER_BYTES + length <= end:
            number = stated
        offset += 1
    return number


def scan(data: bytes, offset: int = 0) -> Iterator[Frame | Damage]:
    """Yields the frames of a segment's bytes from `offset` on. Torn bytes are yielded as `Damage`, never raised."""
    while offset < len(data):
        found = _frame_at(data, offset)
        if found is None:
            start = offset
            while found is None:
                offset = data.find(MARK, offset + 1)
                if offset < 0:
                    number = last_whole_number(data, start, len(data)) or _whole_but_for_its_length(data, start)
                    yield Damage(start, len(data), tail=True, number=number, begun=_is_beginning(data, start))
                    return
                found = _frame_at(data, offset)
            yield Damage(start, offset, tail=False)
        yield found
        offset = found.end
