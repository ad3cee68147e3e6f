"""Files that hold the data of an INSERT until the data are complete: one file per request, removed with the request.

A client that disconnects in the middle leaves a part of such a file, never a part of a table. A body of any size needs memory for one piece.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokentrail.embedded.errors import CANNOT_WRITE, NOT_ENOUGH_SPACE, CannotStart, EngineError
from tokentrail.private_files import make_folder

__all__ = ["Spool", "Spooled"]

PATTERN_SIGNS: Final = "*?{}"
"""Signs of patterns in INFILE: a path `a{b}` matches `ab`, and a pattern without a match is an INSERT of no rows that succeeds (seen in 26.9)."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """Data on disk, and the size in bytes."""

    path: Path
    size: int


class Spool:
    """The folder of these files, inside the data folder, whose lock excludes other processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Creates the folder and removes files of a killed process. Raises CannotStart without rights, and if the path contains signs of patterns."""
        if any(sign in str(self.folder) for sign in PATTERN_SIGNS):
            raise CannotStart(f"the data folder {self.folder.parent} has one of {PATTERN_SIGNS} in its name: choose another one with --data")
        try:
            make_folder(self.folder)
            for left in self.folder.iterdir():
                left.unlink()
        except OSError as error:
            raise CannotStart(f"the folder {self.folder} cannot be written ({error.strerror}): choose another one with --data") from error

    @contextmanager
    def file(self, pieces: Iterable[bytes]) -> Iterator[Spooled]:
        """Writes `pieces` to a file that exists as long as the context. Raises a transient EngineError if the disk refuses the data."""
        try:
            file = tempfile.NamedTemporaryFile(dir=self.folder, prefix="insert-", buffering=0)  # noqa: SIM115 - closed below; its errors are handled separately
        except OSError as error:
            raise _refused(error) from error
        with file:
            size = 0
            for piece in pieces:
                _write(file.fileno(), piece)
                size += len(piece)
            yield Spooled(Path(file.name), size)


def _write(file: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        try:
            left = left[os.write(file, left) :]
        except OSError as error:
            raise _refused(error) from error


def _refused(error: OSError) -> EngineError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    code, name = (NOT_ENOUGH_SPACE, "NOT_ENOUGH_SPACE") if full else (CANNOT_WRITE, "CANNOT_WRITE_TO_FILE_DESCRIPTOR")
    return EngineError(code, f"The data of the INSERT cannot be kept until they are whole: {error.strerror}. ({name})")
