"""Starts commands whose whole process group ends with the program that started the command, even if that program is killed; so does their folder.

The program holds the writing end of a pipe. A watcher in the command's group waits for the end of that pipe, which the kernel closes with the
program, however the program ends, removes the command's scratch folder, and kills the group. The watcher is not a child of the command, so a command
that waits for all its children does not wait for the watcher.
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

# standard error is the pipe until the shell has passed the pipe to the watcher: all other numbers that a shell can name belong to the command. The
# folder is removed twice since a command that writes into the folder meanwhile may make the first removal fail
_WATCHED = """
exec 3<&2
if [ -n "$1" ]; then exec 2>>"$1"; else exec 2>&1; fi
( (read -r _ <&3; [ -z "$2" ] || rm -rf -- "$2" || rm -rf -- "$2"; kill -KILL 0) >/dev/null 2>&1 </dev/null & )
shift 2
exec "$@" 3<&-
"""


class Group:
    """A command's process, and the pipe that keeps the group alive. The garbage collector closes the pipe too, as the program's end does."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        self.process = process
        self._pipe = pipe

    def end(self) -> None:
        """Kills the remaining processes of the group, the watcher included: compilers start compilers. Does nothing if the group has ended."""
        if self._pipe.closed:
            return
        # while the pipe is open the watcher lives, so the number is still this group's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pipe.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # data that was written and never read
                self.process.stdin.close()


def start_group(
    command: Sequence[str],
    *,
    output: IO[bytes],
    errors: Path | None = None,
    takes_input: bool = False,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    scratch: Path | None = None,
) -> Group:
    """Starts a command in its own session: Ctrl-C in the terminal reaches only this program, which then stops the command in order.

    The process id is the command's own. Standard error goes to the file `errors`, else where `output` goes; standard input is empty, or a pipe. A
    command that does not exist ends with code 126 or 127 and the shell's message on standard error. `scratch` is removed if this program ends before
    the group does.
    """
    reads, writes = os.pipe()
    pipe = os.fdopen(writes, "wb", buffering=0)
    try:
        process = subprocess.Popen(  # noqa: S603 - the commands of this package
            ["/bin/sh", "-c", _WATCHED, "sh", *(str(path.absolute()) if path else "" for path in (errors, scratch)), *command],
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
