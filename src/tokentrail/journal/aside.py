"""Records put aside, since the Collector refuses them for good: kept on disk, counted, and listed by `tokentrail journal status`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tokentrail.journal import folder as layout
from tokentrail.journal.records import Header, encode
from tokentrail.journal.volume import check_fits
from tokentrail.private_files import make_folder, read_file, write_file

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


class _Kept(msgspec.Struct):
    """The file of one record: an operator can read the record in it."""

    reason: str
    number: int
    header: Header
    record: msgspec.Raw


_decode = msgspec.json.Decoder(_Kept).decode


def put_aside(root: Path, header: Header, number: int, payload: bytes, reason: str) -> Path:
    """Writes one record into `<journal>/aside`. Raises `OSError` if the write fails: the caller must then not advance the cursor."""
    folder = root / layout.ASIDE
    make_folder(folder)
    # records without a number (refusals, the closing record) are named by the checksum of their payload
    name = str(number) if number else f"0-{zlib.crc32(payload):08x}"
    path = folder / f"{header.writer_id}-{name}.json"
    text = encode(_Kept(reason, number, header, msgspec.Raw(payload)))
    fresh = path.with_suffix(".new")
    check_fits(len(text))
    write_file(fresh, text)
    fresh.replace(path)
    return path


def read_aside(root: Path) -> Iterator[Aside | Damaged]:
    """Yields all records that were put aside, and the files that cannot be read."""
    for path in sorted((root / layout.ASIDE).glob("*.json")):
        try:
            kept = _decode(read_file(path))
            yield Aside(path, kept.header, kept.number, bytes(kept.record), kept.reason)
        except FileNotFoundError:
            continue  # another process sent the record meanwhile
        except (OSError, UnicodeDecodeError, RecursionError, msgspec.MsgspecError) as error:
            yield Damaged(path, f"{type(error).__name__}: {error}")
