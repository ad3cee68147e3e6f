"""Records that are ready for a request: encoded, and with the cursor behind them."""

from __future__ import annotations

import msgspec

from tokentrail.journal import folder as layout
from tokentrail.journal import otlp
from tokentrail.journal.records import encode
from tokentrail.usage import Closing, Refused

__all__ = ["Ready", "first_half", "generated"]


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A record encoded for a request; an empty `body` is damage or a segment's header, which moves the cursor and is not sent."""

    number: int
    body: bytes
    after: layout.Cursor
    payload: bytes = b""


def generated(record: Refused | Closing, cursor: layout.Cursor, writer_id: str) -> Ready:
    """A record without a number that the shipper adds; no frame holds the record."""
    payload = encode(record)
    return Ready(0, otlp.log_record(record, payload, 0, writer_id), cursor, payload)


def first_half(taken: list[Ready], bodies: int) -> list[Ready]:
    """Returns the beginning that holds `bodies` bodies."""
    for position, ready in enumerate(taken, start=1):
        bodies -= bool(ready.body)
        if not bodies:
            return taken[:position]
    return taken
