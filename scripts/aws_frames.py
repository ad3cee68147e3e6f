"""AWS's event-stream frames: their headers and payloads, and frames made of them (docs.aws.amazon.com, "Event stream encoding")."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator

__all__ = ["frame_of", "frames_in", "header_in"]

Frame = tuple[bytes, bytes]


def frames_in(body: str) -> Iterator[Frame]:
    """The headers and the payload of every frame of a body in base64; a torn one at the end is left out."""
    data, at = base64.b64decode(body), 0
    while at + 12 <= len(data):
        length, headers = (int.from_bytes(data[place : place + 4], "big") for place in (at, at + 4))
        if at + length > len(data):
            return
        yield data[at + 12 : at + 12 + headers], data[at + 12 + headers : at + length - 4]
        at += length


def frame_of(headers: bytes, payload: bytes) -> bytes:
    """A frame with its two checksums."""
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    frame = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return frame + zlib.crc32(frame).to_bytes(4, "big")


def header_in(headers: bytes, name: str) -> str:
    """The value of a header that is a text (type 7), or nothing."""
    before = bytes([len(name)]) + name.encode() + b"\x07"
    at = headers.find(before)
    if at < 0:
        return ""
    begin = at + len(before) + 2
    return headers[begin : begin + int.from_bytes(headers[begin - 2 : begin], "big")].decode()
