"""AWS's event-stream frames, where no SDK has decoded them: the JSON inside each whole frame.

    length of the frame (4 bytes)   length of the headers (4)   checksum (4)   headers   payload   checksum (4)

Bedrock's payloads are `{"bytes": "<base64 of a model's JSON>", "p": "<padding>"}`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from tokentrail.instrumentation.contract import Reading

__all__ = ["FIRST_BYTE", "FrameReader", "split_frames"]

FIRST_BYTE: Final = b"\x00"
"""Of every frame (its length is below 16 MiB), and of neither JSON nor server-sent events."""
PRELUDE: Final = 12
CHECKSUM: Final = 4
TEXT: Final = 7
"""The kind of a header whose value is a text; Bedrock sends no other kind."""


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


class Message(NamedTuple):
    """A frame: its headers, and its payload."""

    headers: dict[str, str]
    payload: bytes


class FrameReader:
    """Passes the frames of a body to the chunks of a shape (`converse`, `bedrock_streams`), as messages."""

    __slots__ = ("_chunks", "_failed", "_rest")

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks
        self._rest = b""
        self._failed = False
        chunks.fails = self._fail

    def _fail(self, message: Any) -> None:
        self._failed = self._failed or ":event-type" not in message.headers

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes."""
        data = self._rest + part
        at = 0
        while len(data) - at >= PRELUDE:
            length, headers = (int.from_bytes(data[at + place : at + place + 4], "big") for place in (0, 4))
            if length < PRELUDE + CHECKSUM:
                at = len(data)  # no frame
            elif len(data) - at < length:
                break
            else:
                begin, end = at + PRELUDE + headers, at + length - CHECKSUM
                self._chunks.absorb(Message(_headers_in(data[at + PRELUDE : begin]), data[begin:end]))
                at += length
        self._rest = data[at:]
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading: Reading | None = self._chunks.reading(exhausted=exhausted)
        return (reading[0], "error") if reading is not None and self._failed else reading


def _headers_in(data: bytes) -> dict[str, str]:
    """Returns the headers of a frame: length of the name (1 byte), name, kind (1), length of the text (2), text."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        named = at + 1 + data[at]
        if data[named : named + 1] != bytes((TEXT,)):
            break
        begin = named + 3
        end = begin + int.from_bytes(data[named + 1 : begin], "big")
        found[data[at + 1 : named].decode("utf-8", "replace")] = data[begin:end].decode("utf-8", "replace")
        at = end
    return found
