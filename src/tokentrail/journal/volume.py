"""Limits of the volume and the process: the largest size of a file, and the reason why a file cannot grow."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

__all__ = ["CANNOT_GROW", "check_fits", "largest_file", "process_limit", "reason"]

CANNOT_GROW: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a file that cannot grow; another file, or the same file after others were removed, may be able to."""
LEAST_FILE: Final = 4096
SHARE: Final = 4
"""Number of segments of the largest size that fit on the volume: acknowledged records are removed segment by segment."""


def process_limit() -> int | None:
    """Returns the file size limit of this process (`ulimit -f`, RLIMIT_FSIZE); `None` without a limit. A write beyond the limit raises SIGXFSZ."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def check_fits(size: int) -> None:
    """Raises `OSError` for a size beyond the process's limit: the write itself would raise SIGXFSZ, which can kill the process."""
    limit = process_limit()
    if limit is not None and size > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def largest_file(folder: Path, wanted: int) -> int:
    """Returns the largest size of a file: `wanted`, unless the volume is small or the process's limit is lower."""
    space = os.statvfs(folder)
    volume = space.f_blocks * space.f_frsize
    size = min(wanted, max(volume // SHARE, LEAST_FILE)) if volume else wanted
    limit = process_limit()
    return size if limit is None else min(size, limit)


def reason(error: OSError) -> str:
    """Returns the reason of a failed write. EFBIG becomes a sentence with the process's limit, which the error's text does not name."""
    if error.errno == errno.EFBIG and error.strerror == os.strerror(errno.EFBIG):
        limit = process_limit()
        return f"File size limit of this process (ulimit -f, RLIMIT_FSIZE{'' if limit is None else f' of {limit:,} bytes'})"
    return error.strerror or str(error)
