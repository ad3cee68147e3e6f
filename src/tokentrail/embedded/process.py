"""The embedded server as a child process: for tests, fixtures, the demo, and programs that need more engines than the one that a process can have.

    with ServerProcess.started(folder) as server:
        clickhouse_connect.get_client(dsn=server.addresses.dsn)

The child ends with its parent, also when the parent is killed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.server import Addresses
from tokentrail.local.child import Child, StartFailed

__all__ = ["ServerProcess"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerProcess(Child):
    """A running `tokentrail serve`, created by `started`. `stop()` shuts the server down in order; `kill()` simulates a crash.

    After `kill` all acknowledged rows are in the folder.
    """

    addresses: Addresses

    @classmethod
    def started(
        cls,
        data: str | Path,
        *,
        http_port: int = 0,
        otlp_port: int = 0,
        log: Path | None = None,
        timeout: float = START_SECONDS,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """Starts a server on `data` and waits until the server answers. The server's output is written to `log`.

        `settings` are variables of the server; a password for `tokentrail serve` in this process's own environment is not the child's.

        Raises CannotStart with the child's last line if the child ends, or with a sentence if the child is not ready within `timeout` seconds.
        """
        with tempfile.TemporaryDirectory(prefix="tokentrail-") as folder:
            ready = Path(folder) / "ready.json"
            command = [sys.executable, "-m", "tokentrail.embedded", "--data", str(data), "--ready-file", str(ready)]
            command += ["--http-port", str(http_port), "--otlp-port", str(otlp_port), "--host", host]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("TOKENTRAIL_SERVE_")}
            server = cls("the embedded server", command, log=log, ready=ready.exists, environment=environment | dict(settings or {}))
            try:
                server.start(timeout_s=timeout)
            except StartFailed as failed:
                ended = [f"the embedded server ended with exit code {failed.code}", *server.lines]
                raise CannotStart("the embedded server was not ready in time" if failed.code is None else ended[-1].removeprefix("Error: ")) from None
            server.addresses = Addresses(**json.loads(ready.read_text()))
            return server

    def stop(self, timeout: float = STOP_SECONDS) -> int | None:
        """Sends SIGTERM, waits, then sends SIGKILL if the server still runs. Returns the exit code; does nothing if the server has ended."""
        return self.terminate(grace_s=timeout)
