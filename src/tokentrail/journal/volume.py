"""What a volume and a process allow: how large a file may become, and why one cannot grow."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

__all__ = ["CANNOT_GROW", "largest_file", "process_limit", "reason"]

CANNOT_GROW: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Answers of a file that takes nothing more, while another one, or the same after others were removed, may."""
LEAST_FILE: Final = 4096
SHARE: Final = 4
"""So many files of the largest size fit on the volume: what is acknowledged is removed file by file."""


def process_limit() -> int | None:
    """Bytes that a file of this process may have (`ulimit -f`, RLIMIT_FSIZE); `None` without a limit. Writing beyond it raises SIGXFSZ."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def largest_file(folder: Path, wanted: int) -> int:
    """How large a file should become at most: as wanted, unless the volume is small or the process's limit is lower."""
    space = os.statvfs(folder)
    volume = space.f_blocks * space.f_frsize
    size = min(wanted, max(volume // SHARE, LEAST_FILE)) if volume else wanted
    limit = process_limit()
    return size if limit is None else min(size, limit)


def reason(error: OSError) -> str:
    """Why something could not be written, in the words of its cause and not of its neighbour's."""
    if error.errno == errno.EFBIG and error.strerror == os.strerror(errno.EFBIG):
        limit = process_limit()
        return f"File size limit of this process (ulimit -f, RLIMIT_FSIZE{'' if limit is None else f' of {limit:,} bytes'})"
    return error.strerror or str(error)
