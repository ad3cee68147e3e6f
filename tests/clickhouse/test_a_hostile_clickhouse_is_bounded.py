"""What answers in the place of a ClickHouse, without an end, packed small, or with an endless head, costs a bounded memory, and is one sentence."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tokentrail.clickhouse import bounded
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.errors import ClickHouseError

BOUND = 4 << 20
PIECE = b"x" * (1 << 16)


class Hostile(BaseHTTPRequestHandler):
    """Answers as the server's `way` says, and counts the bytes that were taken."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        way = self.server.way  # type: ignore[attr-defined]
        self.close_connection = True
        with contextlib.suppress(OSError):
            if way == "head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for number in itertools.count():
                    self.send(b"X-Endless-%d: %s\r\n" % (number, PIECE[:1000]))
            self.send_response(500 if way == "error" else 200)
            if way in ("gzip", "zstd", "lz4"):
                self.send_header("content-encoding", way)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            packed = gzip.compress(bytes(64 << 20), 1)
            for piece in [packed] if way == "gzip" else itertools.repeat(PIECE):
                self.send(b"%x\r\n%s\r\n" % (len(piece), piece))

    def do_GET(self) -> None:
        self.do_POST()

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.server.sent += len(data)  # type: ignore[attr-defined]


@pytest.fixture
def hostile() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    server.sent = 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("way", "says"), [("body", "larger than 4 MiB"), ("error", "larger than 4 MiB"), ("gzip", "larger than 4 MiB")])
def test_an_endless_answer_ends_at_the_bound(hostile: ThreadingHTTPServer, way: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_ANSWER", BOUND)
    hostile.way = way  # type: ignore[attr-defined]
    with pytest.raises(ClickHouseError, match=says) as raised:
        connect(f"http://127.0.0.1:{hostile.server_address[1]}/tokentrail")
    assert "\n" not in str(raised.value)
    assert hostile.sent < 4 * BOUND  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", ["zstd", "lz4"])
def test_what_nobody_asked_for_is_not_unpacked(hostile: ThreadingHTTPServer, way: str) -> None:
    hostile.way = way  # type: ignore[attr-defined]
    with pytest.raises(ClickHouseError, match=f"packed as '{way}'"):
        connect(f"http://127.0.0.1:{hostile.server_address[1]}/tokentrail")


def test_an_endless_head_ends_too(hostile: ThreadingHTTPServer) -> None:
    hostile.way = "head"  # type: ignore[attr-defined]
    with pytest.raises(ClickHouseError, match="no ClickHouse answers"):
        connect(f"http://127.0.0.1:{hostile.server_address[1]}/tokentrail")
    assert hostile.sent < 32 << 20  # type: ignore[attr-defined]


class Redirecting(BaseHTTPRequestHandler):
    """Leads every request to the server's `elsewhere`, if it has one; notes what came."""

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        self.server.seen.append(self.rfile.read(int(self.headers.get("content-length", 0))))  # type: ignore[attr-defined]
        elsewhere = self.server.elsewhere  # type: ignore[attr-defined]
        self.send_response(307 if elsewhere else 200)
        self.send_header("location", elsewhere)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()


@contextlib.contextmanager
def redirecting(elsewhere: str) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        server.seen, server.elsewhere = [], elsewhere  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_statement_is_for_one_server() -> None:
    with redirecting("") as other, redirecting(f"http://127.0.0.1:{other.server_address[1]}/") as server:
        with pytest.raises(ClickHouseError, match="a redirect, which is not followed") as raised:
            connect(f"http://user:password@127.0.0.1:{server.server_address[1]}/tokentrail")
        assert "\n" not in str(raised.value)
        assert server.seen  # type: ignore[attr-defined]
        assert other.seen == []  # type: ignore[attr-defined]
