"""A file that is written beside its place and renamed, so that a reader finds the former file or the new one, and never a half."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["replaced"]


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """Opens a new file for writing; at the end of the block the new file takes the place of `path`, after an error nothing has changed.

    A link is followed. What is no file (a pipe, a device) is written into. Raises OSError at once if the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as written:
            yield written
        return
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as written:
            yield written
            written.flush()
            os.fchmod(written.fileno(), path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise


def _umask() -> int:
    """Returns the process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
