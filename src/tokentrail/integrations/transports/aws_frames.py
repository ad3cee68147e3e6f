"""AWS's event-stream frames, where no SDK has decoded them: the messages inside the whole frames.

    length of the frame (4 bytes)   length of the headers (4)   checksum (4)   headers   payload   checksum (4)

A header is the length of its name (1), the name, its kind (1), the length of the text (2), and the text. Bedrock's payloads are
`{"bytes": "<base64 of a model's JSON>", "p": "<padding>"}`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from tokentrail.instrumentation.contract import Reading

__all__ = ["FIRST_BYTE", "FrameReader", "events_of", "split_frames"]

FIRST_BYTE: Final = b"\x00"
"""Of every frame (its length is below 16 MiB), and of neither JSON nor server-sent events."""
AT_ONCE: Final = 64
"""Parts of a stream's bytes that are kept before their frames are read."""
PRELUDE: Final = 12
CHECKSUM: Final = 4
TEXT: Final = 7
"""The kind of a header whose value is a text; Bedrock sends no other kind, and a frame with another one is read up to that header."""


class _Payload(msgspec.Struct, rename={"chunk": "bytes"}):
    chunk: bytes = b""


_lengths: Final = struct.Struct(">II").unpack_from
_decode: Final = msgspec.json.Decoder(_Payload).decode


class Message(NamedTuple):
    """The content of a frame."""

    headers: Mapping[str, str]
    payload: bytes


def _messages_in(data: bytes) -> tuple[list[Message], bytes]:
    """Returns the message of every whole frame, and the bytes of a frame that has begun; no bytes after what is no frame."""
    found: list[Message] = []
    at = 0
    size = len(data)
    while size - at >= PRELUDE:
        length, headers = _lengths(data, at)
        if length < PRELUDE + CHECKSUM:
            return found, b""
        if size - at < length:
            break
        begin, end = at + PRELUDE + headers, at + length - CHECKSUM
        found += (Message(_headers_in(data[at + PRELUDE : begin]), data[begin:end]),)
        at += length
    return found, data[at:]


@lru_cache(256)  # the frames of a stream have the same few
def _headers_in(data: bytes) -> Mapping[str, str]:
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


def split_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Returns the JSON of every whole frame, and the bytes of a frame that has begun. Payloads of another form are left out."""
    messages, rest = _messages_in(data)
    found: list[bytes] = []
    for message in messages:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.append(_decode(message.payload).chunk)
    return found, rest


def events_of(data: bytes) -> Iterator[dict[str, Any]]:
    """Yields the event of every whole frame by its kind, as boto3 does: `{"messageStop": {…}}`. Payloads that are no JSON are left out."""
    for headers, payload in _messages_in(data)[0]:
        kind = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code")
        if kind is not None:
            name = kind if ":event-type" in headers else f"{kind.removesuffix('Exception')}Exception"
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield {name: msgspec.json.decode(payload or b"{}")}


class FrameReader:
    """Passes the messages of a body to the chunks of a shape (`converse`, `bedrock_streams`)."""

    __slots__ = ("_chunks", "_failed", "_many", "_parts")

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks
        self._parts: list[bytes] = []
        self._many = 0
        self._failed = False
        chunks.fails = self._fail

    def _fail(self, message: Message) -> None:
        self._failed = self._failed or ":event-type" not in message.headers

    def absorb(self, part: bytes) -> bool:
        """Takes the next bytes."""
        self._parts += (part,)
        self._many += 1
        if self._many >= AT_ONCE:
            self._take_messages()
        return False

    def _take_messages(self) -> None:
        messages, rest = _messages_in(b"".join(self._parts))
        self._parts, self._many = [rest], 0
        absorb = self._chunks.absorb
        for message in messages:
            absorb(message)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        self._take_messages()
        reading: Reading | None = self._chunks.reading(exhausted=exhausted)
        return (reading[0], "error") if reading is not None and self._failed else reading
