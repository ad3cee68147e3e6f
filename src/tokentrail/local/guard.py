"""A command whose whole process group ends with the program that started the command, even when that program is killed: nothing is left running.

The program holds the writing end of a pipe. A watcher in the command's group waits for the end of that pipe, which the kernel closes with the
program, however the program ends, and kills the group. The watcher is no child of the command: a command that waits for all its children waits for
its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["Group", "start_group"]

# standard error is the pipe until the shell has given the pipe to the watcher: of the numbers that a shell can name all others are the command's
_WATCHED = """
exec 3<&2
if [ -n "$1" ]; then exec 2>>"$1"; else exec 2>&1; fi
shift
( (read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 </dev/null & )
exec "$@" 3<&-
"""


class Group:
    """A command's process, and the pipe that keeps the group alive: closed also by the garbage collector, as a program's end would."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        self.process = process
        self._pipe = pipe

    def end(self) -> None:
        """Kill what is left of the group, the watcher included: compilers start compilers. Harmless where that has happened."""
        if self._pipe.closed:
            return
        # while the pipe is open the watcher lives, so the number is still this group's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pipe.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # what was written and never read
                self.process.stdin.close()


def start_group(
    command: Sequence[str],
    *,
    output: IO[bytes],
    errors: Path | None = None,
    takes_input: bool = False,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Group:
    """Start a command in a session of its own: Ctrl-C in the terminal reaches the program that owns the command, which then stops it in order.

    The process id is the command's own. Standard error goes to the file `errors`, else where `output` goes; standard input is empty, or a pipe. A
    command that does not exist ends with code 126 or 127 and the shell's words in its standard error.
    """
    reads, writes = os.pipe()
    pipe = os.fdopen(writes, "wb", buffering=0)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            ["/bin/sh", "-c", _WATCHED, "sh", "" if errors is None else str(errors.absolute()), *command],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=output,
            stderr=reads,
            start_new_session=True,
        )
    except BaseException:
        pipe.close()
        raise
    finally:
        os.close(reads)
    return Group(process, pipe)
