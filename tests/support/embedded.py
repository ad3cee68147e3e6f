"""The embedded server in tests: plain HTTP to it, byte by byte where needed, and what is stored."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tokentrail.embedded.server import Addresses

CONTROL = "http", "otlp"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    base: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, *, timeout_s: float = 60.0, **query: str
) -> Reply:
    """One request on a connection of its own; the answer with its header names in lower case."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=timeout_s)
    body = body.encode() if isinstance(body, str) else body
    try:
        connection.request(
            method, f"{path}?{urlencode(query)}" if query else path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None)
        )
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def rows(server: Addresses, sql: str) -> list[dict[str, Any]]:
    """The rows of a query on the database tokentrail."""
    reply = ask(server.http, "POST", "/", sql, database="tokentrail", default_format="JSONEachRow", output_format_json_quote_64bit_integers="0")
    assert reply.status == 200, reply.text
    return [json.loads(line) for line in reply.body.splitlines()]


def number(server: Addresses, sql: str) -> int:
    """The one number that a query answers with."""
    return int(ask_text(server, sql))


def ask_text(server: Addresses, sql: str, **query: str) -> str:
    reply = ask(server.http, "POST", "/", sql, database="tokentrail", **query)
    assert reply.status == 200, reply.text
    return reply.text.rstrip("\n")


def new_table(server: Addresses, columns: str = "a UInt64, s String") -> str:
    """A table of the test's own in the database tokentrail."""
    name = f"t_{uuid.uuid4().hex}"
    ask_text(server, f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    return name


def read_spooled(server: Addresses) -> list[bytes]:
    """What has arrived of the INSERTs whose data are not yet all there, or not yet stored."""
    found = []
    for path in (Path(server.data) / "spool").iterdir():
        with contextlib.suppress(FileNotFoundError):  # its request has ended meanwhile
            found.append(path.read_bytes())
    return found


def connected(base: str) -> socket.socket:
    """A bare connection, for requests that no client library would send."""
    address = urlsplit(base)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def read_everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
