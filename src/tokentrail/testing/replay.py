"""A server on 127.0.0.1 that replays the recorded answers of providers over real HTTP, streams chunk by chunk.

    with ReplayServer() as server:
        client = OpenAI(base_url=server.url("openai"), api_key="none")

As a process: `python -m tokentrail.testing.replay --port 8900`. `Recording` describes a recording, `Shelf.find` the choice of a recording.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import socket
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tokentrail.process.signals import Stop
from tokentrail.testing.faults import Faults, Plan, Served
from tokentrail.testing.recording import Recording, read_recordings
from tokentrail.testing.shelf import Shelf

__all__ = ["ReplayServer", "main"]

_SDK_PREFIX = {"openai": "/v1"}
"""The end of an SDK's base URL, if the paths of the SDK's requests do not start at the root."""


class ReplayServer:
    """Replays the recordings of a folder (default: the package's). A context manager; `start` and `stop` do the same.

    `delay` is the pause between two chunks in seconds; `faults` apply to all answers; `host` and `port` are the address (port 0: any free port).
    Raises `ValueError` for a folder without recordings, `OSError` if the port is taken.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        delay: float = 0.0,
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        providers: Iterable[str] | None = None,
    ) -> None:
        if not (delay >= 0 and math.isfinite(delay)):
            raise ValueError("delay must be a number of seconds, 0 or more")
        self.shelf = Shelf(read_recordings(folder, providers=providers))
        self.served: list[Served] = []
        self.stopping = threading.Event()
        self.plans = {"": Plan(None, faults or Faults(), delay)}
        self._address = (host, port)
        self._http: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def recordings(self) -> Mapping[str, Recording]:
        """All recordings by id."""
        return self.shelf.by_id

    @property
    def port(self) -> int:
        """The port of the server; raises `RuntimeError` before `start`."""
        if self._http is None:
            raise RuntimeError("the replay server is not running: use it as a context manager, or call start()")
        return int(self._http.server_address[1])

    def url(self, provider: str, *, recording: str | None = None, faults: Faults | None = None, delay: float | None = None) -> str:
        """Returns the base URL for the provider's SDK (for `openai` the URL ends with `/v1`).

        With `recording`, this recording answers every request to the URL. `faults` and `delay` replace the server's, and are counted per URL.
        """
        if recording is not None and recording not in self.recordings:
            raise ValueError(f"there is no recording {recording!r} in this folder")
        common, plan = self.plans[""], ""
        if recording is not None or faults is not None or delay is not None:
            plan = str(len(self.plans))
            self.plans[plan] = Plan(recording, faults or common.faults, common.delay if delay is None else delay)
        return f"http://{self._address[0]}:{self.port}{f'/plan/{plan}' if plan else ''}/{provider}{_SDK_PREFIX.get(provider, '')}"

    def start(self) -> ReplayServer:
        """Listens and answers in threads, until `stop`."""
        self.stopping.clear()
        self._http = _Server(self._address, _Handler)
        self._http.replay = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="tokentrail-replay", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Closes the port and all connections."""
        self.stopping.set()
        if self._http is not None and self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()
            self._http.close_connections()
            self._http = self._thread = None

    def __enter__(self) -> ReplayServer:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    replay: ReplayServer
    daemon_threads = True
    block_on_close = False  # a client may keep its connection open for ever
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Closes connections that clients keep open: a stopped server must not answer any more."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores the error: clients reset connections as part of tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Writes no access log to stderr."""

    def answer(self) -> None:
        replay, body = self.server.replay, self._body()
        if self.path in {"/", "/__index__"}:
            return self._json(200, [[item.id, item.method, item.path, item.stream, item.status] for item in replay.recordings.values()])
        if self.path == "/__reset__":
            replay.shelf.restart()
            return self._json(200, {})
        plan, name, provider, path = self._target(replay)
        match = replay.shelf.find(provider, self.command, path, body, name)
        note = Served(provider, self.command, path, dict(self.headers.items()), body, 404, None, "none")
        if plan.fails_now():
            replay.served.append(note._replace(status=plan.faults.fail_status, match="fault"))
            return self._fail(plan.faults)
        if match is None:
            replay.served.append(note)
            wanted = f"the id {name}" if name else f"{self.command} {path} of {provider or 'no provider'}"
            return self._json(404, {"error": {"message": f"replay: there is no recording for {wanted}", "type": "replay_miss"}})
        replay.served.append(note._replace(status=match.recording.status, recording=match.recording.id, match=match.how))
        return self._send(match.recording, match.how, plan)

    def _target(self, replay: ReplayServer) -> tuple[Plan, str | None, str, str]:
        """Splits `[/plan/<number>][/id/<recording>]/<provider>/<path>`."""
        plan, path, name = replay.plans[""], self.path, self.headers.get("x-replay-id")
        if path.startswith("/plan/"):
            _, _, number, path = (*path.split("/", 3), "")[:4]
            plan, path = replay.plans.get(number, plan), "/" + path
        if path.startswith("/id/"):
            _, _, name, path = (*path.split("/", 3), "")[:4]
        provider, _, rest = path.lstrip("/").partition("/")
        return plan, name or plan.recording, provider, "/" + rest

    def _body(self) -> Any:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(pieces)
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            return json.loads(raw) if raw.strip() else None
        except ValueError:
            return None

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        sent = {"content-type": "application/json", "content-length": str(len(body)), "x-replay-match": "none", **(headers or {})}
        for name, text in sent.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, faults: Faults) -> None:
        error = {"error": {"message": "replay: this request was made to fail", "type": "replay_fault"}}
        self._json(faults.fail_status, error, {} if faults.retry_after is None else {"retry-after": f"{faults.retry_after:g}"})

    def _send(self, recording: Recording, how: str, plan: Plan) -> None:
        chunks, faults = recording.chunks, plan.faults
        chunked = len(chunks) > 1
        if faults.stops_at(0):
            return self._stop_here(faults, 0)
        self.send_response(recording.status)
        sent = {**recording.headers, "content-type": recording.content_type, "x-replay-id": recording.id, "x-replay-match": how}
        sent |= {"transfer-encoding": "chunked"} if chunked else {"content-length": str(len(recording.body))}
        for name, text in sent.items():
            self.send_header(name, text)
        self.end_headers()
        for number, chunk in enumerate(chunks):
            if faults.stops_at(number):
                return self._stop_here(faults, number)
            if number and plan.delay:
                self.server.replay.stopping.wait(plan.delay)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked and faults.stops_at(len(chunks)):
            return self._stop_here(faults, len(chunks))
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        return None

    def _stop_here(self, faults: Faults, number: int) -> None:
        """Closes the connection, or keeps the connection open without sending until the client closes or the server stops."""
        self.close_connection = True
        if faults.hang_after == number:
            self.connection.settimeout(0.05)
            while not self.server.replay.stopping.is_set():
                try:
                    if not self.connection.recv(1024):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = answer  # noqa: N815 - the names that http.server looks for


def main(arguments: list[str] | None = None) -> int:
    """Serves recordings until SIGINT or SIGTERM; returns the exit code (2: a folder without recordings, or a port that is taken)."""
    parser = argparse.ArgumentParser(
        prog="python -m tokentrail.testing.replay",
        description="Replays recorded provider answers on 127.0.0.1. A client's base URL is http://127.0.0.1:PORT/<provider> (openai: /openai/v1).",
        epilog="example: python -m tokentrail.testing.replay --port 8900 --delay 0.02 --fail-first 2 --retry-after 1",
    )
    parser.add_argument("--folder", help="folder of recordings (default: those shipped with tokentrail)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900, help="0: a free one (default %(default)s)")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="pause between two chunks of a stream")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="the first N requests fail")
    parser.add_argument("--fail-status", type=int, default=503, metavar="STATUS", help="with this status (default %(default)s)")
    parser.add_argument("--retry-after", type=float, metavar="SECONDS", help="and this Retry-After")
    parser.add_argument("--cut-after", type=int, metavar="N", help="close the connection after N chunks")
    parser.add_argument("--hang-after", type=int, metavar="N", help="send nothing more after N chunks")
    options = parser.parse_args(arguments)
    with Stop() as stop, stop.on_signals():
        try:
            faults = Faults(**{item.name: getattr(options, item.name) for item in fields(Faults)})
            server = ReplayServer(options.folder, delay=options.delay, faults=faults, host=options.host, port=options.port).start()
        except (ValueError, OverflowError) as error:
            parser.exit(2, f"{error}\n")
        except OSError as error:
            parser.exit(2, f"cannot listen on {options.host}:{options.port}: {error.strerror or error}\n")
        sys.stdout.write(f"{len(server.recordings)} recordings on http://{options.host}:{server.port} (its index is at /)\n")
        sys.stdout.flush()
        stop.wait()
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
