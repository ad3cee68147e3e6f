"""Child processes: servers and example services, a compiler, programs under test.

Guarantees of `Child`:

- `start()` returns when the child is ready, else raises StartFailed with the end of the child's output.
- The child is ended by its process id, never by a name, and all processes that the child has started end with the child.
- No process and no file is left behind: not by a start that fails or is interrupted, not after a `with` block, not if the parent is killed.
- Output goes to files. A child never waits for a reader, and whole lines can be read at any time, also those of a child that was killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tokentrail.local.guard import Group, start_group

if TYPE_CHECKING:
    from typing_extensions import Self  # in the standard library from Python 3.11

__all__ = ["Child", "StartFailed", "exit_description", "last_words"]

LAST_WORDS = 400
"""Characters of a child's output that error messages contain."""
POLL_S = 0.02
INTERRUPTED_GRACE_S = 5.0
"""Time in which a child that is not ready must end by itself."""


class StartFailed(RuntimeError):  # noqa: N818 - `raise StartFailed` reads as a sentence
    """A child did not become ready; the message contains the end of the child's output. `code` is None for a child that was not ready in time."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Child:
    """One process, which can be started again after its end. Used by one thread.

    Standard output and standard error go to `log`, by default to a temporary file that is removed with the Child; with `errors_apart` standard error
    goes to a separate temporary file. `ready` returns whether the child can be used; without `ready` the child can be used at once. `environment`
    replaces this process's environment, `folder` is the child's working directory. `scratch` is a folder of the child's files, which is removed with
    the Child too.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        log: Path | None = None,
        errors_apart: bool = False,
        takes_input: bool = False,
        ready: Callable[[], bool] | None = None,
        scratch: Path | None = None,
    ) -> None:
        self.name = name
        self._scratch = self._temporary_folder(scratch) if scratch or log is None or errors_apart else None
        temporary = self._scratch or Path()
        self.log = log or temporary / "output"
        self._errors = temporary / "errors" if errors_apart else None
        self._command = list(command)
        self._environment = None if environment is None else dict(environment)
        self._folder = folder
        self._takes_input = takes_input
        self._ready = ready
        self._group: Group | None = None
        self._lines: list[str] = []
        self._began_at = self._read_to = 0

    @property
    def pid(self) -> int:
        """The process id of the process that was started last."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists."""
        return self._group is not None and self._group.process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        return self._process.poll()

    @property
    def lines(self) -> list[str]:
        """The complete lines that the child has printed since its start, without line ends."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._read_to)
            whole, end, _ = log.read().rpartition(b"\n")
            self._read_to += len(whole) + len(end)
            self._lines += whole.decode("utf-8", "replace").split("\n") if end else []
        return self._lines

    @property
    def errors(self) -> str:
        """The child's standard error; empty unless `errors_apart`."""
        return "" if self._errors is None or not self._errors.exists() else self._errors.read_text("utf-8", "replace")

    def start(self, *, timeout_s: float = 30.0) -> Self:
        """Starts the process and returns when the process is ready. Raises StartFailed, with no process left running, if it is not ready in time."""
        if self.running:
            return self
        self.kill()  # processes that the previous run has left
        with self.log.open("ab") as output:
            self._lines = []
            self._began_at = self._read_to = output.tell()
            self._group = start_group(
                self._command,
                output=output,
                errors=self._errors,
                takes_input=self._takes_input,
                environment=self._environment,
                folder=self._folder,
                scratch=self._scratch,
            )
        try:
            self._wait_until_ready(timeout_s)
        except BaseException:
            self.terminate(grace_s=INTERRUPTED_GRACE_S)  # in order: a server has temporary files by then
            raise
        return self

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process; does nothing if the process has ended."""
        self._process.send_signal(number)

    def send(self, line: str) -> None:
        """Writes a line to the standard input of a child that takes input."""
        if self._process.stdin is None:
            raise ValueError(f"{self.name} takes no input")
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end_input(self) -> None:
        """Closes the standard input of a child that takes input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, timeout_s: float = 30.0) -> int:
        """Waits for the end of the process and returns the exit code. Raises TimeoutError with the end of the output.

        Processes that the child has started may run on until `kill`.
        """
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} has not ended after {timeout_s:.0f} s; its last words: {self.last_words()}") from None

    def follow(self, timeout_s: float) -> Iterator[str]:
        """Yields complete lines as the process prints them, until the process has ended. Raises TimeoutError as `wait` does."""
        deadline = time.monotonic() + timeout_s
        yielded = 0
        while True:
            ended = not self.running
            lines = self.lines
            yield from lines[yielded:]
            yielded = len(lines)
            if ended:
                return
            if time.monotonic() > deadline:
                self.wait(0.0)
            time.sleep(POLL_S)

    def kill(self) -> int | None:
        """Sends SIGKILL to the process and all processes that it has started. Returns the exit code; does nothing if they have ended."""
        if self._group is None:
            return None
        self._group.end()
        return self._group.process.returncode

    def terminate(self, *, grace_s: float = 20.0) -> int | None:
        """Sends SIGTERM, and SIGKILL to processes that still run after the grace. Returns the exit code; does nothing if the process has ended."""
        if self._group is None:
            return None
        try:
            if self.running:
                self.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._group.process.wait(grace_s)
        finally:
            self.kill()
        return self._group.process.returncode

    def restart(self) -> None:
        """Starts the process again; a running process is terminated first."""
        self.terminate()
        self.start()

    def last_words(self) -> str:
        """Returns the end of the child's output since its start, in one line."""
        if self._errors is not None and self.errors:
            return last_words(self._errors)
        return last_words(self.log, self._began_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.terminate()

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        if self._group is None:
            raise StartFailed(f"{self.name} was not started")
        return self._group.process

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._ready is not None and not self._ready():
            code = self.code
            if code is not None:
                raise StartFailed(f"{self.name} ended {exit_description(code)}; its last words: {self.last_words()}", code)
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} was not ready after {timeout_s:.0f} s; its last words: {self.last_words()}")
            time.sleep(POLL_S)

    def _temporary_folder(self, given: Path | None) -> Path:
        """Returns a folder that is removed with this object, but not with a copy of this object in a forked process."""
        folder = given or Path(tempfile.mkdtemp(prefix="tokentrail-child-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        return folder


def last_words(log: Path, begin: int = 0) -> str:
    """Returns the end of a log, from `begin` on, in one line."""
    try:
        text = log.read_bytes()[begin:].decode("utf-8", "replace")
    except OSError:
        return "(none)"
    return " ".join(text[-LAST_WORDS:].split()) or "(none)"


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def exit_description(code: int) -> str:
    """Returns how a process ended. A signal's name is clearer than its number: SIGILL means a program built for another processor."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
