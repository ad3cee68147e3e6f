"""How a record lies in a journal file.

A frame is `mark (4) · length (4) · checksum (4) · number (8) · payload`, integers little-endian. The mark lets a reader find the next good frame
after torn bytes; the checksum (CRC-32 of the payload, started from the number) says which ones are good. Number 0 is for frames that are not
numbered: a file's header, refusals and the closing record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["HEADER_BYTES", "MARK", "MAX_FRAME", "MAX_PAYLOAD", "Damage", "Frame", "frame", "is_frame", "scan", "spoiled_number"]

MARK: Final = b"\xf7TT\x01"
MAX_PAYLOAD: Final = 64 * 1024
_HEADER = struct.Struct("<4sIIQ")
HEADER_BYTES: Final = _HEADER.size
MAX_FRAME: Final = HEADER_BYTES + MAX_PAYLOAD
_pack = _HEADER.pack


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A good frame: its number, payload, the offset after it and its checksum.

    A struct, for one is made of every record: a dataclass takes five times as long.
    """

    number: int
    payload: bytes
    end: int
    checksum: int


class Damage(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no frame, from `start` to `end`; `tail` if no good frame follows (it may still be being written).

    `number` is the last one that was written there, where that can be seen in a tail. `lost`: in a file without a record, a tail that is not the
    beginning of a frame; a file is begun for a record, so at least one lay there.
    """

    start: int
    end: int
    tail: bool
    number: int = 0
    lost: bool = False


def frame(number: int, payload: bytes) -> bytes:
    """One frame, ready to be written in a single call."""
    return _pack(MARK, len(payload), zlib.crc32(payload, number & 0xFFFFFFFF), number) + payload


def _frame_at(data: bytes, offset: int) -> Frame | None:
    if offset + HEADER_BYTES > len(data):
        return None
    mark, length, checksum, number = _HEADER.unpack_from(data, offset)
    end = offset + HEADER_BYTES + length
    if mark != MARK or length > MAX_PAYLOAD or end > len(data):
        return None
    payload = data[offset + HEADER_BYTES : end]
    if zlib.crc32(payload, number & 0xFFFFFFFF) != checksum:
        return None
    return Frame(number, payload, end, checksum)


def is_frame(data: bytes, checksum: int) -> bool:
    """Whether these bytes are the whole frame that has this checksum; its head may outlive its end."""
    found = _frame_at(data, 0)
    return found is not None and (found.end, found.checksum) == (len(data), checksum)


def spoiled_number(data: bytes, offset: int, end: int) -> int:
    """The last number among damaged bytes whose frame is whole by its length: it was written, and then spoiled. 0 where there is none."""
    number = 0
    while 0 <= (offset := data.find(MARK, offset, end)) <= end - HEADER_BYTES:
        _, length, _, stated = _HEADER.unpack_from(data, offset)
        if length <= MAX_PAYLOAD and offset + HEADER_BYTES + length <= end:
            number = stated
        offset += 1
    return number


def scan(data: bytes, offset: int = 0) -> Iterator[Frame | Damage]:
    """The frames of a file's bytes from `offset` on. Torn bytes come as `Damage`, never as an error."""
    while offset < len(data):
        found = _frame_at(data, offset)
        if found is None:
            start = offset
            while found is None:
                offset = data.find(MARK, offset + 1)
                if offset < 0:
                    yield Damage(start, len(data), tail=True, number=spoiled_number(data, start, len(data)))
                    return
                found = _frame_at(data, offset)
            yield Damage(start, offset, tail=False)
        yield found
        offset = found.end
