"""A provider's reports behind HTTP on a real socket: pages with tokens, an administrator's key, and faults that are put in front."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback import LoopbackServer

KEY = "sk-admin-planted-4711"


@dataclass
class Fault:
    """An answer that comes in place of the right one, once."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": {"type": "server_error", "code": null, "message": "the key sk-admin-planted-4711 is not liked"}}'
    cut: bool = False
    """Whether the connection ends before the body does."""


@dataclass
class Asked:
    """A request that came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float


class ReportServer(LoopbackServer):
    """Answers for each path with its pages, one a request; a path without pages has one page that is empty."""

    def __init__(
        self, pages: dict[str, list[dict[str, Any] | bytes]] | None = None, *, header: str = "authorization", value: str = f"Bearer {KEY}"
    ) -> None:
        self.pages = pages or {}
        self.faults: list[Fault] = []
        self.missing: set[str] = set()
        self.refused_groups: set[str] = set()
        self.asked: list[Asked] = []
        self._header, self._value = header, value

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        self.asked.append(Asked(parts.path, query, {name.lower(): value for name, value in request.headers.items()}, time.monotonic()))
        if self.faults:
            fault = self.faults.pop(0)
            return self._send(request, fault.status, fault.body, fault.headers, cut=fault.cut)
        if request.headers.get(self._header) != self._value:
            return self._send(request, 401, b'{"error": {"code": "invalid_api_key", "message": "Incorrect API key: sk-admin-planted-4711"}}')
        if parts.path in self.missing:
            return self._send(request, 404, b"{}")
        if self.refused_groups & set(query.get("group_by[]", [])):
            return self._send(request, 400, b'{"error": {"code": "invalid_request_error"}}')
        several = self.pages.get(parts.path) or [{"object": "page", "data": [], "has_more": False, "next_page": None}]
        number = int(query.get("page", ["page-1"])[0].removeprefix("page-"))
        page = several[number - 1]
        if isinstance(page, bytes):
            return self._send(request, 200, page)
        more = {"has_more": number < len(several), "next_page": f"page-{number + 1}" if number < len(several) else None}
        return self._send(request, 200, json.dumps({**more, **page}).encode())

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            request.close_connection = True
