"""The manifest of an archive: which files there are, what each holds, and how it is known to be whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tokentrail.whole_files import replaced

__all__ = ["FORMAT", "NAME", "ArchiveError", "File", "Manifest", "checksum", "read", "write"]

NAME: Final = "manifest.json"
FORMAT: Final = 1
"""The number of the layout of an archive. A later one is refused."""
_KIND: Final = "tokentrail ledger"
_PIECE: Final = 1 << 20


class ArchiveError(ValueError):
    """An archive that cannot be read or written. One sentence, without a full stop."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of an archive."""

    name: str
    table: str
    rows: int
    bytes: int
    sha256: str
    columns: Sequence[str]
    sums: Mapping[str, int] = {}
    """Of a file of the ledger: its calls, input and output tokens."""
    source: str = ""
    """What the rows were in the database: the number of rows and a checksum. A file whose source is the same is not written again."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of an archive; `complete` once all of them are there."""

    kind: str = _KIND
    format: int = FORMAT
    package: str = ""
    complete: bool = False
    files: Sequence[File] = ()


def read(folder: Path) -> Manifest | None:
    """Reads the manifest of a folder; None if there is none. Raises `ArchiveError` for one that is no manifest of ours, or of a newer version."""
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        head = msgspec.json.decode(data, type=dict)
        if head.get("kind") != _KIND:
            raise ArchiveError(f"{path} is no manifest of a ledger")
        if head.get("format") != FORMAT:
            raise ArchiveError(f"{path} has format {head.get('format')}, and this version reads format {FORMAT}: upgrade tokentrail")
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{path} is damaged: {error}") from None
    for file in manifest.files:
        if Path(file.name).name != file.name or file.name in ("", ".", ".."):
            raise ArchiveError(f"{path} names a file outside of the folder: {file.name!r}")
    return manifest


def write(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, whole or not at all."""
    with replaced(folder / NAME) as written:
        written.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    return state.hexdigest()
