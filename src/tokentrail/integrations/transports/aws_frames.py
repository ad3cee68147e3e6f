"""AWS's event-stream frames, where no SDK has decoded them: the JSON inside each whole frame.

    length of the frame (4 bytes)   length of the headers (4)   checksum (4)   headers   payload   checksum (4)

Bedrock's payloads are `{"bytes": "<base64 of a model's JSON>", "p": "<padding>"}`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

__all__ = ["FIRST_BYTE", "split_frames"]

FIRST_BYTE: Final = b"\x00"
"""Of every frame (its length is below 16 MiB), and of neither JSON nor server-sent events."""
PRELUDE: Final = 12
CHECKSUM: Final = 4


class _Payload(msgspec.Struct, rename={"chunk": "bytes"}):
    chunk: bytes = b""


_decode: Final = msgspec.json.Decoder(_Payload).decode


def split_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Returns the JSON of every whole frame, and the bytes of a frame that has begun. Payloads of another form are left out."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= PRELUDE:
        length, headers = (int.from_bytes(data[at + place : at + place + 4], "big") for place in (0, 4))
        if length < PRELUDE + CHECKSUM:
            return found, b""  # no frame
        if len(data) - at < length:
            break
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found.append(_decode(data[at + PRELUDE + headers : at + length - CHECKSUM]).chunk)
        at += length
    return found, data[at:]
