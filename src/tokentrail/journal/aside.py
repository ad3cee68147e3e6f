"""Records put aside, since the Collector refuses them for good: kept on disk, counted, and listed by `tokentrail journal status`."""

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
    """A record that was put aside, with the reason."""

    path: Path
    header: Header
    number: int
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file in the folder that holds no readable record, with the reason."""

    path: Path
    reason: str


_decode_header = msgspec.msgpack.Decoder(Header).decode


def put_aside(root: Path, header: Header, number: int, payload: bytes, reason: str) -> Path:
    """Writes one record into `<journal>/aside`. Raises `OSError` if the write fails: the caller must then not advance the cursor."""
    folder = root / layout.ASIDE
    folder.mkdir(mode=0o700, exist_ok=True)
    # records without a number (refusals, the closing record) are named by the checksum of their payload
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
    """Yields all records that were put aside, and the files that cannot be read."""
    for path in sorted((root / layout.ASIDE).glob("*.json")):
        try:
            kept = json.loads(path.read_text())
            header = _decode_header(base64.b64decode(kept["header"]))
            yield Aside(path, header, int(kept["number"]), base64.b64decode(kept["payload"]), str(kept["reason"]))
        except FileNotFoundError:
            continue  # another process sent the record meanwhile
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
            yield Damaged(path, f"{type(error).__name__}: {error}")
