"""A self-test: what calls of an SDK really run in this process, tried at a listener of this machine.

Nothing of it is recorded: no usage, no span, no metric, no journal. Other instrumentations are asked to let it pass, as OpenTelemetry has it.
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
    """How many calls were made, and how many of them reached the recorder; the error that stopped the test, if any."""

    __slots__ = ("calls", "counted", "error")

    def __init__(self) -> None:
        self.calls = 0
        self.counted = 0
        self.error: BaseException | None = None


def probe(calls: Callable[[str], int]) -> Probed:
    """Make these calls (`Integration.probe`), in a thread of their own: the caller's may run an event loop."""
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
    """Whatever is asked, one answer."""

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
        """Say nothing."""


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
