"""Single records that the Collector refuses for good: kept on disk, counted, visible in `tokentrail journal status`, never lost silently."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tokentrail.journal import folder as layout
from tokentrail.journal.records import Header, encode
from tokentrail.journal.volume import check_fits

__all__ = ["Aside", "Damaged", "put_aside", "read_aside"]


@dataclass(frozen=True, slots=True)
class Aside:
    """A record that was put aside, and why."""

    path: Path
    header: Header
    number: int
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file in the folder that is no record put aside, and what is wrong with it."""

    path: Path
    reason: str


_decode_header = msgspec.msgpack.Decoder(Header).decode


def put_aside(root: Path, header: Header, number: int, payload: bytes, reason: str) -> Path:
    """Keep one record in `<journal>/aside`. Raises `OSError` if it cannot be kept: the caller must then not advance."""
    folder = root / layout.ASIDE
    folder.mkdir(mode=0o700, exist_ok=True)
    # records without a number of their own (refusals, the closing one) are told apart by what they say
    name = str(number) if number else f"0-{zlib.crc32(payload):08x}"
    path = folder / f"{header.writer_id}-{name}.json"
    kept = {
        "reason": reason,
        "number": number,
        "header": base64.b64encode(encode(header)).decode(),
        "payload": base64.b64encode(payload).decode(),
    }
    fresh = path.with_suffix(".new")
    text = json.dumps(kept)
    check_fits(len(text))
    fresh.write_text(text)
    fresh.replace(path)
    return path


def read_aside(root: Path) -> Iterator[Aside | Damaged]:
    """All records that were put aside, and the files that cannot be read."""
    for path in sorted((root / layout.ASIDE).glob("*.json")):
        try:
            kept = json.loads(path.read_text())
            header = _decode_header(base64.b64decode(kept["header"]))
            yield Aside(path, header, int(kept["number"]), base64.b64decode(kept["payload"]), str(kept["reason"]))
        except FileNotFoundError:
            continue  # sent by somebody else meanwhile
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
            yield Damaged(path, f"{type(error).__name__}: {error}")
