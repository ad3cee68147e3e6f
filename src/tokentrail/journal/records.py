"""What a frame's payload says: msgpack of one of four records, told apart by their `event`."""

from __future__ import annotations

import msgspec

from tokentrail import semconv
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["Header", "Record", "decode", "encode", "join_ranges"]


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="event"):
    """The first frame of every file: whose it is, and what is the same for all its records."""

    writer_id: str
    created: int  # UTC nanoseconds
    first_seq: int  # the number that the next record would have had when the file was begun
    resource: dict[str, str | int] = {}
    schema: int = semconv.SCHEMA_VERSION


Record = Header | Usage | Refused | Closing

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Header | Usage | Refused | Closing).decode


def join_ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """`[1, 2, 3, 7]` as `[(1, 3), (7, 7)]`; the numbers must be sorted."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
