"""A server on a real socket of this machine, whose answers a subclass gives."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeVar

Server = TypeVar("Server", bound="LoopbackServer")


class LoopbackServer:
    """Calls `answer` for every request, in a thread of its connection."""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answers one request, whose body was read."""
        raise NotImplementedError

    def __enter__(self: Server) -> Server:  # noqa: PYI019 - typing.Self is younger than Python 3.10
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                server.answer(self, self.rfile.read(int(self.headers.get("content-length") or 0)))

            do_GET = do_PATCH = do_POST  # noqa: N815 - the names that http.server looks for

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign] - a client that hangs up is no news
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
