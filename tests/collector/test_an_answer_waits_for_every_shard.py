"""On a cluster an insert into a Distributed table is answered before it is sent, unless the request says otherwise; a queue must not forget it by then."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support.collector import World
from tests.support.otlp import Writer, mixed_logs, post
from tests.support.store import Store
from tests.support.waiting import wait_until


@dataclass
class Between:
    """What stands between the Collector and ClickHouse and writes down the settings of each insert."""

    url: str
    inserts: dict[str, list[dict[str, list[str]]]] = field(default_factory=dict)

    def heard(self, path: str, body: bytes) -> None:
        asked = parse_qs(urlsplit(path).query)
        statement = asked.get("query", [body[:300].decode("utf-8", "replace")])[0]
        for table in ("usage_landing", "otel_logs"):
            if "INSERT INTO" in statement.upper() and table in statement:
                self.inserts.setdefault(table, []).append(asked)


@contextmanager
def between(store: Store) -> Iterator[Between]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement

        def do_POST(self) -> None:
            body = (
                b"".join(self._chunks())
                if "chunked" in self.headers.get("Transfer-Encoding", "")
                else self.rfile.read(int(self.headers["Content-Length"]))
            )
            seen.heard(self.path, body)
            onward = http.client.HTTPConnection("127.0.0.1", store.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length", "host")}
            onward.request("POST", self.path, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            onward.close()

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen = Between(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def test_inserts_of_usage_and_telemetry_ask_for_it(world: World) -> None:
    store = world.store()
    with between(store) as seen:
        gateway = world.gateway(seen)
        assert post(gateway.otlp_http_url, "logs", mixed_logs(Writer(), ["one"])) == 200
        wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 1, "one usage event")
        wait_until(lambda: store.number("SELECT count() FROM otel_logs") == 1, "one application line")
    assert sorted(seen.inserts) == ["otel_logs", "usage_landing"]
    for asked in seen.inserts.values():
        assert {request.get("distributed_foreground_insert", [""])[0] for request in asked} == {"1"}
