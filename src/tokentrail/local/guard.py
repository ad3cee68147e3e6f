"""A command whose whole process group ends with the program that started it, even when that one is killed: nothing is left running.

The program holds a pipe to the shell that becomes the command. A watcher in the command's group waits for the end of that pipe, which the kernel
closes with the program, however that one ends, and kills the group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["end_group", "start_guarded"]

_WATCHED = 'exec 3<&0; (read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'


def start_guarded(
    command: Sequence[str], *, output: IO[bytes] | int, environment: Mapping[str, str] | None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own: Ctrl-C in the terminal reaches the program that owns the command, which then stops it in order.

    The process id is the command's own. A command that does not exist ends with code 126 or 127 and the shell's words in its output.
    """
    return subprocess.Popen(  # noqa: S603 - our own commands
        ["/bin/sh", "-c", _WATCHED, "sh", *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a command's group, the watcher included: compilers start compilers. Harmless where that has happened."""
    if process.stdin is None or process.stdin.closed:
        return
    # while the pipe is open the watcher lives, so the number is still this group's
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
