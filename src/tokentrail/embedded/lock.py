"""The lock of a data folder, which one process owns. The lock file holds the owner's process id, for the error of a second process.

chDB locks the folder too, by `flock` on its file `status`, but its error states only that chDB could not initialise. So chDB's lock is checked too,
for a folder that was opened with chDB itself. `flock` ends with the process, SIGKILL included: no stale lock remains, and the texts in both files
serve only people and error messages.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path
from typing import Final

from tokentrail.clickhouse.dsn import LOCK_FILE
from tokentrail.embedded.errors import CannotStart
from tokentrail.private_files import make_folder, open_file

__all__ = ["FolderLock"]

ENGINE_FILE: Final = "status"
PROCESS: Final = re.compile(r"\d+")


class FolderLock:
    """The lock on `folder`; a missing folder is created."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def acquire(self) -> None:
        """Takes the lock, or raises CannotStart with the reason: in use (and by which process), not a folder, no rights."""
        path = self.folder / LOCK_FILE
        try:
            make_folder(self.folder, parents=True)
            file = open_file(path, os.O_RDWR | os.O_CREAT)
        except (FileExistsError, NotADirectoryError) as error:
            raise CannotStart(f"the data folder {self.folder} is not a folder: choose another one with --data") from error
        except OSError as error:
            raise CannotStart(f"the data folder {self.folder} cannot be written ({error.strerror}): choose another one with --data") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._in_use_error(file) from error
        except OSError as error:
            os.close(file)
            raise CannotStart(f"the data folder {self.folder} cannot be locked ({error.strerror}): choose one on a local disk") from error
        self._file = file
        self._check_engine()
        self._write_process_id(file)

    def _write_process_id(self, file: int) -> None:
        """Writes the process id into the lock file, for people and error messages."""
        signature = f"{os.getpid()}\n".encode()
        try:
            os.ftruncate(file, 0)
            reason = "" if os.pwrite(file, signature, 0) == len(signature) else os.strerror(errno.ENOSPC)
        except OSError as error:
            reason = str(error.strerror)
        if reason:
            self.release()
            raise CannotStart(f"the data folder {self.folder} cannot be written ({reason}): choose another one with --data")

    def _check_engine(self) -> None:
        try:
            file = os.open(self.folder / ENGINE_FILE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # no engine has used the folder yet; other errors are raised by the engine
            return
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise self._in_use_error(file) from error
        os.close(file)

    def _in_use_error(self, file: int) -> CannotStart:
        """Returns the error for a held lock, and closes the file, whose first number is the process id of the owner."""
        holder = PROCESS.search(os.read(file, 64).decode(errors="replace"))
        os.close(file)
        by = f"process {holder.group()}" if holder else "another process"
        return CannotStart(f"the data folder {self.folder} is in use by {by}: stop that one, or choose another folder with --data")

    def release(self) -> None:
        """Releases the folder; does nothing if the folder is not locked."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
