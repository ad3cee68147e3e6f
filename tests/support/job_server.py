"""A provider of jobs on a real socket: answers by method and path; a list of answers is used up one by one, and its last one stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import LoopbackServer


class JobServer(LoopbackServer):
    """A dictionary is an answer of JSON, bytes are a file. `chunks`: bytes of a file that are sent at once."""

    def __init__(self, answers: Mapping[str, Any], *, chunks: int = 0) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self._chunks = chunks
        self._lock = threading.Lock()

    def answer(self, request: BaseHTTPRequestHandler, _body: bytes) -> None:
        """Answers by method and path."""
        name = f"{request.command} {request.path.partition('?')[0]}"
        with self._lock:
            self.asked.append(name)
            answer = self.answers.get(name, (404, {"error": {"message": f"nothing at {name}"}}))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        is_file = isinstance(answer, bytes)
        told = answer if is_file else json.dumps(answer).replace("{server}", self.url).encode()
        request.send_response(status)
        request.send_header("content-type", "application/octet-stream" if is_file else "application/json")
        if is_file and self._chunks:
            request.send_header("transfer-encoding", "chunked")
            request.end_headers()
            for start in range(0, len(told), self._chunks):
                part = told[start : start + self._chunks]
                request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            request.wfile.write(b"0\r\n\r\n")
            return
        request.send_header("content-length", str(len(told)))
        request.end_headers()
        request.wfile.write(told)


def lines(*values: Any) -> bytes:
    """A file of lines of JSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)
