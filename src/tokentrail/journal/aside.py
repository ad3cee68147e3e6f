"""Single records that the Collector refuses for good: kept on disk, counted, visible in `tokentrail journal status`, never lost silently."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tokentrail.journal import folder as layout
from tokentrail.journal.records import Header, encode

__all__ = ["Aside", "put_aside", "read_aside"]


@dataclass(frozen=True, slots=True)
class Aside:
    """A record that was put aside, and why."""

    path: Path
    header: Header
    number: int
    payload: bytes
    reason: str


_decode_header = msgspec.msgpack.Decoder(Header).decode


def put_aside(root: Path, header: Header, number: int, payload: bytes, reason: str) -> Path:
    """Keep one record in `<journal>/aside`. Raises `OSError` if it cannot be kept: the caller must then not advance."""
    folder = root / layout.ASIDE
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{header.writer_id}-{number}.json"
    kept = {
        "reason": reason,
        "number": number,
        "header": base64.b64encode(encode(header)).decode(),
        "payload": base64.b64encode(payload).decode(),
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(kept))
    fresh.replace(path)
    return path


def read_aside(root: Path) -> Iterator[Aside]:
    """All records that were put aside; a damaged file raises `ValueError` that names it."""
    for path in sorted((root / layout.ASIDE).glob("*.json")):
        try:
            kept = json.loads(path.read_text())
            header = _decode_header(base64.b64decode(kept["header"]))
            yield Aside(path, header, int(kept["number"]), base64.b64decode(kept["payload"]), str(kept["reason"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
