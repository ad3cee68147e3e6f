"""The embedded server as a child process: for tests, fixtures, the demo, and whoever needs more than the one engine that a process can hold.

    with ServerProcess.started(folder) as server:
        clickhouse_connect.get_client(dsn=server.addresses.dsn)

The child ends with its parent, also when that one is killed: it serves until its standard input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.server import Addresses

__all__ = ["ServerProcess"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerProcess:
    """A running `tokentrail serve`; made by `started`. `stop()` ends it in order, `kill()` as a crash would."""

    def __init__(self, process: subprocess.Popen[bytes], addresses: Addresses) -> None:
        self.process = process
        self.addresses = addresses

    @classmethod
    def started(
        cls, data: str | Path, *, http_port: int = 0, otlp_port: int = 0, log: Path | None = None, timeout: float = START_SECONDS
    ) -> ServerProcess:
        """Start one on `data` and wait until it answers. `log` takes what it prints.

        Raises CannotStart with the child's own sentence where it ends, and with one of ours where it is not ready within `timeout` seconds.
        """
        with tempfile.TemporaryDirectory(prefix="tokentrail-") as folder, (log or Path(folder) / "log").open("a+b") as output:
            ready = Path(folder) / "ready.json"
            command = [sys.executable, "-m", "tokentrail.embedded", "--data", str(data), "--ready-file", str(ready)]
            command += ["--http-port", str(http_port), "--otlp-port", str(otlp_port), "--until-stdin-ends"]
            # a session of its own: Ctrl-C in the terminal reaches the parent, which stops its children in order
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
            try:
                return cls(process, _when_ready(process, ready, output, monotonic() + timeout))
            except BaseException:
                process.kill()
                process.wait()
                raise

    def stop(self, timeout: float = STOP_SECONDS) -> int:
        """SIGTERM, wait, and SIGKILL for one that does not go. The exit code; harmless where it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                return self.kill()
        self._forget_stdin()
        return self.process.returncode

    def kill(self) -> int:
        """SIGKILL: the engine has no time to do anything. Acknowledged rows are there when the folder is opened again."""
        self.process.kill()
        self.process.wait()
        self._forget_stdin()
        return self.process.returncode

    def _forget_stdin(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def __enter__(self) -> ServerProcess:  # noqa: PYI034 - Self is in the standard library from Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _when_ready(process: subprocess.Popen[bytes], ready: Path, output: IO[bytes], deadline: float) -> Addresses:
    while not ready.exists():
        if process.poll() is not None:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()
            raise CannotStart((said or [f"the embedded server ended with exit code {process.returncode}"])[-1].removeprefix("Error: "))
        if monotonic() > deadline:
            raise CannotStart("the embedded server was not ready in time")
        sleep(0.02)
    return Addresses(**json.loads(ready.read_text()))
