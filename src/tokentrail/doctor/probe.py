"""A self-test: runs calls of an SDK in this process against a listener on this machine, and counts the calls that reach the recorder.

No usage, span, metric or journal record is made of these calls. Other instrumentations are suppressed by OpenTelemetry's context keys.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import context

from tokentrail.integrations.transports.probes import ANSWER
from tokentrail.recording.nesting import probing

__all__ = ["Probed", "probe"]

_TIMEOUT = 30.0
_SUPPRESS = ("suppress_instrumentation", getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"))


class Probed:
    """The number of calls made, the number of calls that reached the recorder, and the error that stopped the test, if any."""

    __slots__ = ("calls", "counted", "error")

    def __init__(self) -> None:
        self.calls = 0
        self.counted = 0
        self.error: BaseException | None = None


def probe(calls: Callable[[str], int]) -> Probed:
    """Makes these calls (`Integration.probe`) in a separate thread, since the caller's thread may run an event loop."""
    probed = Probed()

    def run() -> None:
        token = context.attach(context.get_current())
        try:
            for key in _SUPPRESS:
                context.attach(context.set_value(key, True))
            with _listener() as url, probing() as reached:
                try:
                    probed.calls = calls(url)
                finally:
                    probed.counted = len(reached)
        except BaseException as error:
            probed.error = error
        finally:
            context.detach(token)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="tokentrail-doctor", daemon=True)
    thread.start()
    thread.join(_TIMEOUT)
    if thread.is_alive():
        probed.error = TimeoutError(f"no answer within {_TIMEOUT:.0f} seconds")
    return probed


class _Answers(BaseHTTPRequestHandler):
    """Answers every request with the same body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement

    def do_POST(self) -> None:
        body = json.dumps(ANSWER).encode()
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@contextmanager
def _listener() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
