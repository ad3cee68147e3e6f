from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.embedded import ask, ask_text
from tests.support.otlp import Writer, app_logs
from tests.support.waiting import wait_until
from tokentrail.embedded.engine import Engine
from tokentrail.embedded.errors import EngineError, Unavailable
from tokentrail.embedded.front import ClickHouseFront
from tokentrail.embedded.listener import Listener, bind
from tokentrail.embedded.otlp import OtlpReceiver
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_while_it_starts_and_stops(tmp_path: Path, state: str) -> None:
    engine = Engine(tmp_path)
    if state == "stopping":
        engine.stopping()
    http, otlp = bind("127.0.0.1", 0, "--http-port"), bind("localhost", 0, "--otlp-port")
    listener = Listener({http: ClickHouseFront(engine, "tokentrail"), otlp: OtlpReceiver(engine, "tokentrail")}, grace=1)
    listener.start()
    try:
        front, receiver = (f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in (http, otlp))
        replies = [
            ask(front, "GET", "/ping"),
            ask(front, "POST", "/", "SELECT 1"),
            ask(front, "POST", "/", "1,x\n" * 100_000, query="INSERT INTO t FORMAT CSV"),
            ask(receiver, "POST", "/v1/logs", Writer().request(1), PROTOBUF),
        ]
    finally:
        listener.stop()
        listener.wait_for_requests()
    for reply in replies:
        assert (reply.status, reply.headers["retry-after"], reply.headers["connection"]) == (503, "1", "close")
        assert state.encode() in reply.body


@pytest.mark.parametrize("code", [241, 252, 202, 243, 236, 394])
def test_troubles_of_the_engine_that_pass(code: int) -> None:
    error = EngineError.of(RuntimeError(f"Streaming insert finish failed: Code: {code}. DB::Exception: later. (X)"))
    assert (error.code, error.status, error.message) == (code, 503, f"Code: {code}. DB::Exception: later. (X)")
    assert Unavailable("x").status == 503


def test_too_little_memory(server: Addresses) -> None:
    reply = ask(server.http, "POST", "/", "SELECT groupArray(number) FROM numbers(10000000)", max_memory_usage="1000000")
    assert (reply.status, reply.headers["x-clickhouse-exception-code"], reply.headers["retry-after"]) == (503, "241", "1")


def test_a_receiver_without_its_tables_keeps_nobody_s_records(tmp_path: Path) -> None:
    with ServerProcess.started(tmp_path / "data") as server:
        ask_text(server.addresses, "RENAME TABLE otel_logs TO away")
        refused = ask(server.addresses.otlp, "POST", "/v1/logs", app_logs(["x"]), PROTOBUF)
        ask_text(server.addresses, "RENAME TABLE away TO otel_logs")
        taken = ask(server.addresses.otlp, "POST", "/v1/logs", app_logs(["x"]), PROTOBUF)
        stored = ask_text(server.addresses, "SELECT count() FROM otel_logs")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert (taken.status, stored) == (200, "1")


def test_a_sender_that_tries_again_gets_through_a_restart(tmp_path: Path) -> None:
    first = ServerProcess.started(tmp_path / "data")
    ports = {"http_port": int(first.addresses.http.rsplit(":", 1)[1]), "otlp_port": int(first.addresses.otlp.rsplit(":", 1)[1])}
    body = Writer().request(100)
    statuses: list[int] = []

    def send() -> bool:
        try:
            statuses.append(ask(first.addresses.otlp, "POST", "/v1/logs", body, PROTOBUF).status)
        except OSError:
            return False
        return statuses[-1] == 200

    first.stop()
    sender = threading.Thread(target=lambda: wait_until(send, "the records are taken", every_s=0.01))
    sender.start()
    with ServerProcess.started(tmp_path / "data", **ports) as second:
        sender.join()
        assert set(statuses) <= {200, 503}
        assert ask_text(second.addresses, "SELECT sum(calls) FROM usage") == "100"
