"""A ClickHouse to write into: `tokentrail serve` as a process of its own, on a port known before it is up, that can be killed and started again."""

from __future__ import annotations

import http.client
from pathlib import Path

from tokentrail.embedded.process import ServerProcess
from tokentrail.local.ports import free_port


class Store:
    """The embedded server on one folder and one port, over as many starts as a test likes."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._otlp_port = free_port()
        self.otlp = f"http://127.0.0.1:{self._otlp_port}"
        self._folder = folder
        self._log = log
        self._server: ServerProcess | None = None

    def start(self) -> None:
        self._server = ServerProcess.started(self._folder, http_port=self.port, otlp_port=self._otlp_port, log=self._log, timeout=180.0)

    @property
    def pid(self) -> int:
        """The server's process id; 0 before its first start."""
        return self._server.pid if self._server is not None else 0

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()

    def send_signal(self, number: int) -> None:
        """Sends a signal to the server, such as SIGSTOP."""
        if self._server is not None:
            self._server.send_signal(number)

    def query(self, sql: str) -> list[list[str]]:
        """Return the rows of a query on the database tokentrail as texts; an AssertionError with the server's words if it fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/?database=tokentrail&default_format=TabSeparated", sql.encode())
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, f"{sql}\n{text}"
        return [line.split("\t") for line in text.splitlines()]

    def number(self, sql: str) -> int:
        """Return the one number that a query answers with."""
        return int(self.query(sql)[0][0])
