"""Real receivers of notifications on this machine: an HTTP server, a mail server, and a server with Alertmanager's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

NEEDED = {"labels", "annotations", "startsAt", "endsAt"}


@dataclass
class Web:
    """What a web server was sent. `status` is what it answers, after `meanwhile`."""

    host: str
    status: int = 200
    meanwhile: Callable[[], object] = lambda: None
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.requests]


@contextmanager
def web() -> Iterator[Web]:
    """A web server that keeps what it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.requests.append((self.path, dict(self.headers), json.loads(body)))
            kept.meanwhile()
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Web(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def active(posts: list[list[dict[str, Any]]], *, now: datetime | None = None) -> set[tuple[str, str]]:
    """The alerts that Alertmanager has as active after these posts: by their labels, the last post counts, and an end that is past is an end."""
    latest: dict[str, dict[str, Any]] = {}
    for alert in (alert for post in posts for alert in post):
        assert set(alert) == NEEDED
        assert all(isinstance(text, str) and text for part in ("labels", "annotations") for text in alert[part].values())
        assert datetime.fromisoformat(alert["startsAt"]) <= datetime.fromisoformat(alert["endsAt"])
        latest[json.dumps(alert["labels"], sort_keys=True)] = alert
    moment = now or datetime.now(timezone.utc)
    return {
        (alert["labels"]["alertname"], alert["labels"]["subject"]) for alert in latest.values() if datetime.fromisoformat(alert["endsAt"]) > moment
    }


class Mail:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.messages.append(message_from_bytes(envelope.content))
        return "250 taken"


@contextmanager
def mail(port: int) -> Iterator[Mail]:
    """A mail server that keeps what it is given."""
    kept = Mail()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()
