"""One process owns a data folder: a lock of our own, so that the second one is told who the first is.

chDB locks the folder too, but says only that it could not initialise. `flock` ends with the process, SIGKILL included, so no stale lock is ever left;
the text in the file is only there to be read by people and error messages.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from tokentrail.embedded.errors import CannotStart

__all__ = ["FolderLock"]

FILE_NAME: Final = "tokentrail.lock"


class FolderLock:
    """The lock on `folder`, which is created where it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise CannotStart with the reason: taken (and by which process), not a folder, no rights."""
        path = self.folder / FILE_NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (FileExistsError, NotADirectoryError) as error:
            raise CannotStart(f"the data folder {self.folder} is not a folder: choose another one with --data") from error
        except OSError as error:
            raise CannotStart(f"the data folder {self.folder} cannot be written ({error.strerror}): choose another one with --data") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 64).decode(errors="replace").strip()
            os.close(file)
            by = f"process {holder}" if holder else "another process"
            raise CannotStart(f"the data folder {self.folder} is in use by {by}: stop that one, or choose another folder with --data") from error
        except OSError as error:
            os.close(file)
            raise CannotStart(f"the data folder {self.folder} cannot be locked ({error.strerror}): choose one on a local disk") from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the folder back; harmless where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
