"""Stand-ins for Slack and PagerDuty, whose servers cannot be had: they speak the published interfaces, and refuse what those refuse.

Slack: incoming webhooks (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks), with the errors of that page. PagerDuty: Events API v2
(https://developer.pagerduty.com/docs/events-api-v2-overview), with its required fields and lengths. apprise sends to the real names over TLS: a proxy on
loopback stands for both names, with a certificate of its own authority.
"""

from __future__ import annotations

import json
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

SLACK, PAGERDUTY = "hooks.slack.com", "events.pagerduty.com"
SLACK_TOKENS = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
ROUTING_KEY = "R0123456789abcdef0123456789abcde"
SEVERITIES = {"critical", "error", "warning", "info"}
MOST_SUMMARY, MOST_DEDUP, MOST_EVENT = 1024, 255, 512 * 1024
MOST_ATTACHMENTS, MOST_TEXT = 100, 40_000


@dataclass
class Services:
    """What the stand-ins have taken and refused: (host, body or reason). `environment` leads an HTTP client to them."""

    environment: dict[str, str]
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    status: int = 0
    """What they answer instead of an answer, if not 0: 429, 500, 302."""

    def of(self, host: str) -> list[dict[str, Any]]:
        return [body for name, body in self.taken if name == host]

    def incidents(self) -> dict[str, str]:
        """PagerDuty's incidents that are open, by deduplication key: the summary of the event that has triggered each."""
        events = [(event.get("dedup_key") or f"new {number}", event) for number, event in enumerate(self.of(PAGERDUTY))]
        incidents: dict[str, str] = {}
        for key, event in events:
            if event["event_action"] == "resolve":
                incidents.pop(key, None)
            else:
                incidents.setdefault(key, event["payload"]["summary"])
        return incidents


def slack_refuses(path: str, kind: str, body: Any) -> tuple[int, str] | None:
    """Slack's answer to what it does not take."""
    if path != f"/services/{SLACK_TOKENS}":
        return 404, "no_service"
    if "json" not in kind or not isinstance(body, dict):
        return 400, "invalid_payload"
    attachments = body.get("attachments", [])
    if len(attachments) > MOST_ATTACHMENTS:
        return 400, "too_many_attachments"
    if not body.get("text") and not body.get("blocks") and not any(each.get("text") or each.get("fallback") for each in attachments):
        return 400, "no_text"
    if any(len(text) > MOST_TEXT for text in (body.get("text") or "", *(each.get("text", "") for each in attachments))):
        return 400, "msg_too_long"
    return None


def pagerduty_refuses(path: str, kind: str, body: Any) -> tuple[int, str] | None:
    """PagerDuty's answer to what it does not take."""
    if path != "/v2/enqueue":
        return 404, "not found"
    if "json" not in kind or not isinstance(body, dict) or len(json.dumps(body)) > MOST_EVENT:
        return 400, "invalid event"
    errors = []
    if body.get("routing_key") != ROUTING_KEY:
        errors.append("'routing_key' is no integration's")
    if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid")
    if len(body.get("dedup_key", "")) > MOST_DEDUP:
        errors.append("'dedup_key' is too long (maximum is 255 characters)")
    if body.get("event_action") != "trigger":
        errors += [] if body.get("dedup_key") else ["'dedup_key' is missing or blank"]
    else:
        payload = body.get("payload") or {}
        errors += [f"'payload.{name}' is missing or blank" for name in ("summary", "source", "severity") if not payload.get(name)]
        if len(payload.get("summary", "")) > MOST_SUMMARY:
            errors.append("'payload.summary' is too long (maximum is 1024 characters)")
        if payload.get("severity") not in SEVERITIES:
            errors.append("'payload.severity' is invalid")
    return (400, json.dumps({"status": "invalid event", "errors": errors})) if errors else None


REFUSES = {SLACK: slack_refuses, PAGERDUTY: pagerduty_refuses}
TAKES = {SLACK: (200, "ok"), PAGERDUTY: (202, json.dumps({"status": "success", "message": "Event processed"}))}


def make_authority(folder: Path) -> tuple[Path, Path]:
    """A certificate for both names, which is its own authority, and its key."""
    certificate, key = folder / "services.pem", folder / "services.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=stand-ins",
    ]
    names = f"subjectAltName=DNS:{SLACK},DNS:{PAGERDUTY}"
    subprocess.run([*command, "-addext", names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class Service(BaseHTTPRequestHandler):
    """One service, within the connection that a client has opened to its name."""

    name = ""
    server: Server

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(sent)
        except ValueError:
            body = None
        kept = self.server.kept
        refused = (kept.status, "") if kept.status else REFUSES[self.name](self.path, self.headers.get("Content-Type", ""), body)
        if refused is None:
            kept.taken.append((self.name, body))
        else:
            kept.refused.append((self.name, refused[1]))
        self.answer(*(refused or TAKES[self.name]))

    def do_GET(self) -> None:
        self.answer(200, "a page to log in on")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        if status in (302, 307):
            self.send_header("Location", f"https://{self.name}/login")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class Proxy(BaseHTTPRequestHandler):
    """Stands for the names of all services."""

    server: Server

    def do_CONNECT(self) -> None:
        name = self.path.partition(":")[0]
        if name not in REFUSES:
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with (
            suppress(OSError),
            self.server.context.wrap_socket(self.connection, server_side=True) as inside,
        ):  # of a client that trusts the certificate
            type("Named", (Service,), {"name": name})(inside, self.client_address, self.server)

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingTCPServer):
    """The proxy's server, and what the services have been sent."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Proxy)
        self.context = context
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        self.kept = Services({"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": "", "REQUESTS_CA_BUNDLE": str(certificate)})


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Slack and PagerDuty, behind a proxy on loopback."""
    certificate, key = make_authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(context, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.kept
        finally:
            server.shutdown()
            thread.join()
