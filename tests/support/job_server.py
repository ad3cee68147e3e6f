"""A provider of jobs on a real socket: answers by method and path; a list of answers is used up one by one, and its last one stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class JobServer:
    """A dictionary is an answer of JSON, bytes are a file. `chunks`: bytes of a file that are sent at once."""

    def __init__(self, answers: Mapping[str, Any], *, chunks: int = 0) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self._chunks = chunks
        self._lock = threading.Lock()

    def __enter__(self) -> JobServer:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                server._answer(self)

            do_GET = do_POST  # noqa: N815 - the name that http.server looks for

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign] - a client that hangs up is no news
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        name = f"{request.command} {request.path.partition('?')[0]}"
        with self._lock:
            self.asked.append(name)
            answer = self.answers.get(name, (404, {"error": {"message": f"nothing at {name}"}}))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        is_file = isinstance(answer, bytes)
        body = answer if is_file else json.dumps(answer).replace("{server}", self.url).encode()
        request.send_response(status)
        request.send_header("content-type", "application/octet-stream" if is_file else "application/json")
        if is_file and self._chunks:
            request.send_header("transfer-encoding", "chunked")
            request.end_headers()
            for start in range(0, len(body), self._chunks):
                part = body[start : start + self._chunks]
                request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            request.wfile.write(b"0\r\n\r\n")
            return
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def lines(*values: Any) -> bytes:
    """A file of lines of JSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)
