"""A server on 127.0.0.1 that plays one answer: as recorded, changed, cut, failing first, or held until the test lets it go on.

The replay server (`tokentrail.testing.replay`) is for applications; the kit also has to know what was sent, and when, and whether the client hung up.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tokentrail.testing.recording import Recording

__all__ = ["PATIENCE", "Asked", "Stage"]

PATIENCE = 10.0
"""Seconds for which an answer is held; only a call that breaks a promise waits for so long."""

_WITHOUT_LENGTH = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "date"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: `cut_after` closes the connection after that many pieces, `hold_after` sends no more before `Stage.go` is set."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    chunked: bool
    cut_after: int | None = None
    hold_after: int | None = None
    fail_first: int = 0


class Stage:
    """The server; a context manager. `asked` has the requests since `play`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.go, self.holding, self.hung_up = threading.Event(), threading.Event(), threading.Event()
        self.gave_up = False
        self.plan = Plan(404, {}, [], chunked=False)

    def __enter__(self) -> Stage:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.stage = self
        threading.Thread(target=self._http.serve_forever, args=(0.005,), name="tokentrail-stage", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def port(self) -> int:
        """The port of the server."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def play(
        self, recording: Recording, pieces: list[bytes] | None = None, *, status: int | None = None, content_type: str | None = None, **faults: Any
    ) -> None:
        """Answers every request from now on with this recording, or with other pieces of a body; `faults` are fields of `Plan`."""
        self.go.set()  # what an earlier test holds
        self.asked = []
        self.go, self.holding, self.hung_up, self.gave_up = threading.Event(), threading.Event(), threading.Event(), False
        headers = {name: value for name, value in recording.headers.items() if name.lower() not in _WITHOUT_LENGTH}
        headers["content-type"] = content_type or recording.content_type
        sent = recording.chunks if pieces is None else pieces
        plan = Plan(status or recording.status, headers, sent, chunked=recording.stream or len(sent) != 1)
        self.plan = replace(plan, **faults)


class _Server(ThreadingHTTPServer):
    stage: Stage
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores the error: clients reset connections as part of tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Writes no access log."""

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - of the base class
        """Returns one time, so that two answers are equal."""
        return "Thu, 01 Jan 2026 00:00:00 GMT"

    def answer(self) -> None:
        stage = self.server.stage
        plan = stage.plan
        stage.asked.append(Asked(self.command, self.path, self._body()))
        if len(stage.asked) <= plan.fail_first:
            return self._send(
                Plan(503, {"content-type": "application/json", "retry-after-ms": "1"}, [b'{"error": {"message": "busy"}}'], chunked=False)
            )
        return self._send(plan)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, plan: Plan) -> None:
        if plan.cut_after == 0:
            return self._cut()
        self.send_response(plan.status)
        length = {"transfer-encoding": "chunked"} if plan.chunked else {"content-length": str(sum(map(len, plan.pieces)))}
        for name, value in (plan.headers | length).items():
            self.send_header(name, value)
        self.end_headers()
        for number, piece in enumerate(plan.pieces):
            if number == plan.cut_after:
                self.wfile.flush()
                time.sleep(0.05)  # some HTTP clients drop what has arrived, if the end comes at once
                return self._cut()
            if number == plan.hold_after and not self._held():
                return None
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if plan.chunked and piece else piece)
        if plan.chunked:
            self.wfile.write(b"0\r\n\r\n")
        return None

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _held(self) -> bool:
        """Waits for `Stage.go`; returns False if the client hung up, or nobody let the answer go on."""
        stage = self.server.stage
        go, hung_up = stage.go, stage.hung_up
        deadline = time.monotonic() + PATIENCE
        self.wfile.flush()
        self.connection.settimeout(0.01)
        stage.holding.set()
        while not go.is_set():
            with contextlib.suppress(TimeoutError):
                try:
                    gone = self.connection.recv(1) == b""
                except ConnectionError:
                    gone = True
                if gone:
                    hung_up.set()
                    self.close_connection = True
                    return False
            if time.monotonic() > deadline:
                stage.gave_up = True
                self._cut()
                return False
        self.connection.settimeout(None)
        return True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = answer  # noqa: N815 - the names that http.server looks for
