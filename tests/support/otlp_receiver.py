"""An OTLP/HTTP receiver on a real socket that answers as a test tells it, and keeps every log record that it took."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.support.waiting import wait_until
from tokentrail import semconv

__all__ = ["Otlp", "Received", "Record", "Reply", "busy_above", "cut", "hang", "html", "ok", "records_of", "refuses", "rejects", "status"]

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Record:
    """One log record as it arrived."""

    attributes: dict[str, Any]
    fields: dict[str, Any]  # the JSON of its body; none where the body is no JSON
    resource: dict[str, Any]
    time_unix_nano: int
    trace_id: str
    span_id: str
    event_name: str

    @property
    def event(self) -> str:
        return str(self.attributes.get(semconv.EVENT, ""))

    @property
    def writer_id(self) -> str:
        return str(self.attributes.get(semconv.WRITER_ID, ""))

    @property
    def seq(self) -> int:
        return int(self.attributes.get(semconv.SEQ, 0))


@dataclass(frozen=True)
class Received:
    """One request as it came in, whatever was answered."""

    path: str
    headers: dict[str, str]
    size: int  # bytes before compression
    records: list[Record]


@dataclass(frozen=True)
class Reply:
    """What to answer. `keep` says which records are taken; `release` must be set before the answer goes out; `cut` hangs up instead."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": PROTOBUF})
    body: bytes = b""
    keep: Callable[[Record], bool] = lambda _record: True
    cut: bool = False
    release: threading.Event | None = None


Policy = Callable[[Received], Reply]


def nothing(_record: Record) -> bool:
    return False


def ok() -> Reply:
    return Reply()


def status(code: int, body: bytes = b"", **headers: str) -> Reply:
    """Any other answer; nothing is taken. `retry_after="3"` becomes the header Retry-After."""
    return Reply(code, {"content-type": "text/plain"} | {name.replace("_", "-"): value for name, value in headers.items()}, body, nothing)


def html() -> Reply:
    """A captive portal, a login page, a wrong port: 200, and nothing taken."""
    return Reply(200, {"content-type": "text/html"}, b"<html>hello</html>", nothing)


def cut(*, taken: bool = False) -> Reply:
    """The connection ends without an answer, the records taken before that or not."""
    return Reply(cut=True, keep=(lambda _record: taken))


def hang(release: threading.Event) -> Reply:
    """No answer until the event is set; then the connection ends."""
    return Reply(cut=True, keep=nothing, release=release)


def rejects(bad: Callable[[Record], bool]) -> Policy:
    """Takes all but the bad ones, and says so in a partial success."""

    def policy(received: Received) -> Reply:
        rejected = sum(map(bad, received.records))
        if not rejected:
            return ok()
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = rejected
        answer.partial_success.error_message = "malformed"
        return Reply(body=answer.SerializeToString(), keep=lambda record: not bad(record))

    return policy


def refuses(bad: Callable[[Record], bool], code: int = 400) -> Policy:
    """Takes nothing of a request with a bad record."""
    return lambda received: status(code, b"malformed") if any(map(bad, received.records)) else ok()


def busy_above(records: int) -> Policy:
    """A queue that never has room for more records than that."""
    return lambda received: status(503) if len(received.records) > records else ok()


class Otlp:
    """`with Otlp() as otlp`: `otlp.url` takes log requests. Answers come from `script` in order, then from `policy`."""

    protocol = "http/protobuf"

    def __init__(self, policy: Policy | None = None, *, tls: tuple[Path, Path] | None = None, clients: Path | None = None, port: int = 0) -> None:
        self.policy: Policy = policy or (lambda _received: ok())
        self.script: deque[Reply] = deque()
        self.requests: list[Received] = []
        self.taken: list[Record] = []
        self.held = 0  # requests whose answer waits for its release
        self._by_event: dict[tuple[str, str], list[Record]] = {}
        self._tls = tls
        self._clients = clients  # the authority of the certificates that clients have to show
        self._port = port
        self._lock = threading.Lock()

    def __enter__(self) -> Otlp:  # noqa: PYI034 - Self is newer than Python 3.10
        self._http = _Server(("127.0.0.1", self._port), self)
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            if self._clients:
                context.load_verify_locations(self._clients)
                context.verify_mode = ssl.CERT_REQUIRED
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._port = int(self._http.server_address[1])
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Go away: connections are refused from now on."""
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/v1/logs"

    @property
    def port(self) -> int:
        return self._port

    def events(self, writer_id: str, event: str) -> list[Record]:
        """A writer's records of one event in the order of their arrival, repetitions included."""
        with self._lock:
            return list(self._by_event.get((writer_id, event), ()))

    def numbers(self, writer_id: str) -> list[int]:
        """The numbers of a writer's usages, likewise."""
        return [record.seq for record in self.events(writer_id, semconv.EVENT_USAGE)]

    def forget(self) -> None:
        """Forget the records by event."""
        with self._lock:
            self._by_event.clear()

    def writers(self) -> list[str]:
        with self._lock:
            return sorted({writer_id for writer_id, _ in self._by_event})

    def closings(self, writer_id: str) -> list[dict[str, Any]]:
        """The fields of a writer's closing records."""
        return [record.fields for record in self.events(writer_id, semconv.EVENT_CLOSING)]

    def refused(self, writer_id: str) -> set[int]:
        """The numbers that the writer told it had refused."""
        told: set[int] = set()
        for record in self.events(writer_id, semconv.EVENT_REFUSED):
            if not record.fields.get("damaged"):
                told |= numbers_of(record.fields["ranges"])
        return told

    def damaged(self, writer_id: str, *, closed: bool = True) -> set[int]:
        """The numbers that were told as damaged; not `closed`: those that were told while the writer lived."""
        told: set[int] = set()
        for record in self.events(writer_id, semconv.EVENT_REFUSED):
            told |= numbers_of(record.fields["ranges"] if record.fields.get("damaged") else [])
        for closing in self.closings(writer_id) if closed else []:
            told |= numbers_of(closing["damaged"])
        return told

    def wait_closed(self, writer_ids: Iterable[str], deadline_s: float = 30.0) -> None:
        """Until each writer's closing record is here."""
        wanted = set(writer_ids)
        wait_until(
            lambda: all(self.closings(writer_id) for writer_id in wanted), "closing records of all writers", deadline_s=deadline_s, every_s=0.02
        )

    def answer(self, received: Received) -> Reply:
        with self._lock:
            self.requests.append(received)
            reply = self.script.popleft() if self.script else self.policy(received)
        if reply.release is not None:
            with self._lock:
                self.held += 1
            reply.release.wait(60)
            with self._lock:
                self.held -= 1
        with self._lock:
            for record in filter(reply.keep, received.records):
                self.taken.append(record)
                self._by_event.setdefault((record.writer_id, record.event), []).append(record)
        return reply


def numbers_of(ranges: Iterable[tuple[int, int]]) -> set[int]:
    """The numbers in ranges `[first, last]`."""
    return {number for low, high in ranges for number in range(low, high + 1)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], otlp: Otlp) -> None:
        self.otlp = otlp
        super().__init__(address, _Handler)

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up, or is killed, is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.otlp.answer(Received(self.path, headers, len(body), list(records_of(body))))
        if reply.cut:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


def records_of(body: bytes) -> Iterable[Record]:
    for resource_logs in ExportLogsServiceRequest.FromString(body).resource_logs:
        resource = _values(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for log in scope_logs.log_records:
                text = log.body.string_value
                fields = json.loads(text) if text.startswith("{") else {}
                yield Record(_values(log.attributes), fields, resource, log.time_unix_nano, log.trace_id.hex(), log.span_id.hex(), log.event_name)


def _values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in attributes}
