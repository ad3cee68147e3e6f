"""AWS's event-stream frames, where no SDK has decoded them: the JSON inside each whole frame.

    length of the frame (4 bytes)   length of the headers (4)   checksum (4)   headers   payload   checksum (4)

Bedrock's payloads are `{"bytes": "<base64 of a model's JSON>", "p": "<padding>"}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec

__all__ = ["FIRST_BYTE", "events_of", "split_frames"]

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


_TEXT: Final = 7
"""The type of a header whose value is a text. All headers of Bedrock's frames have it; a frame with another header is read up to that header."""


def _headers(data: bytes) -> dict[str, str]:
    found, at = {}, 0
    while at < len(data):
        name_ends = at + 1 + data[at]
        if name_ends + 3 > len(data) or data[name_ends] != _TEXT:
            break
        value = name_ends + 3
        end = value + int.from_bytes(data[value - 2 : value], "big")
        found[data[at + 1 : name_ends].decode(errors="replace")] = data[value:end].decode(errors="replace")
        at = end
    return found


def events_of(data: bytes) -> Iterator[dict[str, Any]]:
    """Yields the event of every whole frame by its kind, as boto3 does: `{"messageStop": {…}}`. Payloads that are no JSON are left out."""
    at = 0
    while len(data) - at >= PRELUDE:
        length, headers = (int.from_bytes(data[at + place : at + place + 4], "big") for place in (0, 4))
        if length < PRELUDE + CHECKSUM or len(data) - at < length:
            return
        named = _headers(data[at + PRELUDE : at + PRELUDE + headers])
        kind = named.get(":event-type") or named.get(":exception-type") or named.get(":error-code")
        if kind is not None:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield {
                    kind if ":event-type" in named else f"{kind.removesuffix('Exception')}Exception": msgspec.json.decode(
                        data[at + PRELUDE + headers : at + length - CHECKSUM] or b"{}"
                    )
                }
        at += length
