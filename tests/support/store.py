"""A ClickHouse to write into: `tokentrail serve` as a process of its own, on a free port, that can be killed and started again on its data."""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path
from urllib.parse import quote

from tokentrail.demo.child import Child, free_port


class Store(Child):
    """`tokentrail serve` with its data in `folder`. Not started by itself: its address is known before it is up."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "tokentrail", "serve", "--data", str(folder)]
        command += ["--clickhouse-port", str(self.port), "--otlp-port", str(free_port())]
        super().__init__("tokentrail serve", command, environment=os.environ, log=log, health_url=f"{self.url}/ping")

    def query(self, sql: str) -> list[list[str]]:
        """Return the rows of a query on the database tokentrail as texts; an AssertionError with the server's words if it fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", f"/?database=tokentrail&default_format={quote('TabSeparated')}", sql.encode())
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, f"{sql}\n{text}"
        return [line.split("\t") for line in text.splitlines()]

    def number(self, sql: str) -> int:
        """Return the one number that a query answers with."""
        return int(self.query(sql)[0][0])
