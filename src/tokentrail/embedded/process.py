"""The embedded server as a child process: for tests, fixtures, the demo, and programs that need more than the one engine that a process can hold.

    with ServerProcess.started(folder) as server:
        clickhouse_connect.get_client(dsn=server.addresses.dsn)

The child ends with its parent, also when the parent is killed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.server import Addresses
from tokentrail.local.child import Child, StartFailed

__all__ = ["ServerProcess"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerProcess(Child):
    """A running `tokentrail serve`; made by `started`. `stop()` ends the server in order, `kill()` as a crash would.

    After `kill` acknowledged rows are there when the folder is opened again.
    """

    addresses: Addresses

    @classmethod
    def started(
        cls, data: str | Path, *, http_port: int = 0, otlp_port: int = 0, log: Path | None = None, timeout: float = START_SECONDS
    ) -> ServerProcess:
        """Start a server on `data` and wait until it answers. `log` takes what the server prints.

        Raises CannotStart with the child's own sentence where the child ends, and with one of ours where it is not ready within `timeout` seconds.
        """
        with tempfile.TemporaryDirectory(prefix="tokentrail-") as folder:
            ready = Path(folder) / "ready.json"
            command = [sys.executable, "-m", "tokentrail.embedded", "--data", str(data), "--ready-file", str(ready)]
            command += ["--http-port", str(http_port), "--otlp-port", str(otlp_port)]
            server = cls("the embedded server", command, log=log, ready=ready.exists)
            try:
                server.start(timeout_s=timeout)
            except StartFailed as failed:
                ended = [f"the embedded server ended with exit code {failed.code}", *server.lines]
                raise CannotStart("the embedded server was not ready in time" if failed.code is None else ended[-1].removeprefix("Error: ")) from None
            server.addresses = Addresses(**json.loads(ready.read_text()))
            return server

    def stop(self, timeout: float = STOP_SECONDS) -> int | None:
        """SIGTERM, wait, and SIGKILL for a server that does not go. The exit code; harmless where the server has ended."""
        return self.terminate(grace_s=timeout)
