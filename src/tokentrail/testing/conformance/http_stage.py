"""The stage over HTTP/1.1: the bytes of a recording, in the pieces in which the provider sent them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tokentrail.testing.conformance.stage import Asked, Plan, Stage
from tokentrail.testing.recording import Recording

__all__ = ["HttpStage"]

_WITHOUT_LENGTH = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "date"})


class HttpStage(Stage):
    """The server of SDKs that speak HTTP: its address is a URL without a slash at the end."""

    busy: ClassVar[Plan] = Plan(503, {"content-type": "application/json", "retry-after-ms": "1"}, [b'{"error": {"message": "busy"}}'])

    def __enter__(self) -> HttpStage:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.stage = self
        threading.Thread(target=self._http.serve_forever, args=(0.005,), name="tokentrail-stage", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def plan_of(self, recording: Recording, pieces: list[bytes] | None, status: int | None, content_type: str | None) -> Plan:
        """Returns the answer of a recording: its headers, but for those that tell how the bytes were sent."""
        headers = {name: value for name, value in recording.headers.items() if name.lower() not in _WITHOUT_LENGTH}
        headers["content-type"] = content_type or recording.content_type
        sent = recording.chunks if pieces is None else pieces
        return Plan(status or recording.status, headers, sent, chunked=recording.stream or len(sent) != 1)


class _Server(ThreadingHTTPServer):
    stage: HttpStage
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
        self._send(self.server.stage.next_plan(Asked(self.command, self.path, self._body(), str(self.headers))))

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
        for name, value in (dict(plan.headers) | length).items():
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
        """Waits until the answer may go on; returns False if the connection has ended, or ends now."""
        stage = self.server.stage
        self.wfile.flush()
        self.connection.settimeout(0.01)
        if stage.held(self._is_gone):
            self.connection.settimeout(None)
            return True
        if stage.gave_up:
            self._cut()
        self.close_connection = True
        return False

    def _is_gone(self) -> bool:
        try:
            return not self.connection.recv(1)
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = answer  # noqa: N815 - the names that http.server looks for
