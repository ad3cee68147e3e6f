"""Files and folders of one user: opened without following a link, owned by nobody else, and readable by nobody else whatever the umask.

An owner is trusted who is this process's user, or root, who may do everything anyway. Root trusts every owner: a sidecar that runs as root ships for
all users. Network file systems may map owners (`all_squash`): there the owner of a file that was just made in the same place is trusted too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["check_folder", "make_folder", "open_file", "read_file", "write_file"]

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
PARENT_MODE: Final = 0o755
"""Of a missing folder above: who could write there would move a private folder away, and put another one in its place."""
_GUARDED: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # without O_NONBLOCK the open of a named pipe would wait for its other end


def open_file(path: Path, flags: int) -> int:
    """Opens a file, with mode 0600 where O_CREAT makes it. Raises `OSError` for a link, a pipe, a device, and a file of another user."""
    try:
        fd = os.open(path, flags & ~os.O_TRUNC | _GUARDED, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(errno.EPERM, f"{path} is a link, and no link is followed there: remove it") from None
        raise
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))  # noqa: TRY301 - the descriptor is closed below
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EPERM, f"{path} is no file: remove it")  # noqa: TRY301 - same
        _check_owner(path, found, path.parent)
        if flags & os.O_CREAT and stat.S_IMODE(found.st_mode) != FILE_MODE and found.st_uid == os.geteuid():
            with contextlib.suppress(OSError):  # a file system without modes
                os.fchmod(fd, FILE_MODE)
        if flags & os.O_TRUNC and found.st_size:
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_file(path: Path) -> bytes:
    """Returns the content of a file that `open_file` opens."""
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_file(path: Path, data: bytes) -> None:
    """Writes a whole file that `open_file` opens."""
    with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(data)


def make_folder(path: Path, *, parents: bool = False) -> None:
    """Makes a folder with mode 0700; one that exists is checked as by `check_folder`. Missing `parents` are writable by their owner alone."""
    if parents:
        for place in reversed([place for place in path.parents if not place.exists()]):
            place.mkdir(mode=PARENT_MODE, exist_ok=True)
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        check_folder(path)
        return
    if stat.S_IMODE(path.lstat().st_mode) != FOLDER_MODE:  # the umask took rights of the owner's
        with contextlib.suppress(OSError):  # a file system without modes
            path.chmod(FOLDER_MODE)


def check_folder(path: Path) -> None:
    """Raises `OSError` with one sentence unless the path is a folder of a trusted owner.

    A link to a folder is followed if a trusted owner made the link: operators place folders on other volumes by links.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        _check_owner(path, found, path.parent)
        found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    _check_owner(path, found, path)


def _check_owner(path: Path, found: os.stat_result, folder: Path) -> None:
    user = os.geteuid()
    if user in (0, found.st_uid) or found.st_uid == 0 or found.st_uid == _owner_of_new_files(folder):
        return
    raise PermissionError(errno.EPERM, f"{path} belongs to user {found.st_uid}, and this process to {user}: nothing of another user is used there")


def _owner_of_new_files(folder: Path) -> int | None:
    """Returns the owner that a file gets which this process makes in a folder; None if it can make none."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".owner-") as probe:
            return os.fstat(probe.fileno()).st_uid
    except OSError:
        return None
