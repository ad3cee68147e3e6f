"""A record leaves the journal when the Collector has taken it, and for no other answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import make_certificates
from tests.support.journal import AT_ONCE, append, shipper, writer
from tests.support.otlp_receiver import Otlp, Reply, cut, hang, html, ok, status
from tokentrail.journal.exporter import Exporter, Result
from tokentrail.journal.folder import load_cursor
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.settings import Settings

ANSWERS: dict[str, Reply] = {
    "302": status(302, location="http://127.0.0.1:9/"),
    "200 with a page": html(),
    "200 without a type": Reply(200, {}, b"", lambda _record: False),
    "200 with a broken answer": Reply(200, {"content-type": "application/x-protobuf"}, b"\xff\xff\xff", lambda _record: False),
    "204": status(204),
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "405": status(405),
    "400": status(400),
    "413": status(413),
    "429": status(429, retry_after="0"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "504": status(504),
    "connection cut": cut(),
    "answer lost": cut(taken=True),
    "half an answer": Reply(200, {"content-type": "application/x-protobuf", "transfer-encoding": "chunked"}, b"", lambda _record: False, cut=True),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_is_sent_again_until_it_is_taken(root: Path, otlp: Otlp, answer: Reply) -> None:
    service = writer(root)
    append(service, 5)
    cursors = []
    otlp.script.extend([answer] * 2)
    original = otlp.answer
    otlp.answer = lambda received: (cursors.append(load_cursor(service.folder).last_seq), original(received))[1]  # type: ignore[method-assign]
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert cursors[:3] == [0, 0, 0], "advanced before it was acknowledged"
    assert set(otlp.numbers(service.writer_id)) == {1, 2, 3, 4, 5}
    assert load_cursor(service.folder).last_seq == 5
    assert not (root / "aside").exists()


@pytest.mark.parametrize("answer", [answer for name, answer in ANSWERS.items() if name not in ("400", "413", "answer lost")])
def test_is_never_given_up(root: Path, otlp: Otlp, answer: Reply) -> None:
    service = writer(root)
    append(service, 3)
    otlp.policy = lambda _received: answer
    waits = iter([False] * 25 + [True])
    progress = shipper(root, otlp, wait=lambda _seconds, _asked: next(waits)).ship_folder(service.folder, live=True)
    assert not progress.done
    assert progress.reason
    assert otlp.taken == []
    otlp.policy = lambda _received: ok()
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3]


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_server_that_never_answers_is_left_after_the_timeout(root: Path, otlp: Otlp, release: threading.Event) -> None:
    service = writer(root)
    append(service, 3)
    otlp.script.append(hang(release))
    assert shipper(root, otlp, timeout=0.3).ship_folder(service.folder, live=True).done
    assert otlp.held == 1, "the first request was left before it was answered"
    assert otlp.numbers(service.writer_id) == [1, 2, 3]


def test_a_server_that_is_away_is_waited_for(root: Path) -> None:
    service = writer(root)
    append(service, 3)
    with Otlp() as gone:
        port = gone.port
    back: list[Otlp] = []

    def wait(_seconds: float, _asked: bool) -> bool:
        if len(waits) == 4:
            back.append(Otlp(port=port).__enter__())
        waits.append(_seconds)
        return False

    waits: list[float] = []
    assert shipper(root, gone, wait=wait).ship_folder(service.folder, live=True).done
    assert len(waits) >= 5
    assert back[0].numbers(service.writer_id) == [1, 2, 3]
    back[0].close()


@pytest.mark.parametrize(("said", "least"), [("7", 7.0), ("0.5", 0.5), ("100000", 300.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)])
@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_asks_for_a_pause_gets_it(root: Path, otlp: Otlp, code: int, said: str, least: float) -> None:
    service = writer(root)
    append(service, 1)
    otlp.script.append(status(code, retry_after=said))
    waits: list[tuple[float, bool]] = []

    def wait(seconds: float, asked: bool) -> bool:
        waits.append((seconds, asked))
        return False

    assert shipper(root, otlp, wait=wait, policy=AT_ONCE).ship_folder(service.folder, live=True).done
    [(seconds, asked)] = waits
    assert seconds >= least
    assert seconds <= max(least, 0.01) + 0.001
    assert asked == (said != "soon")


def test_delays_grow_to_their_bound_and_never_beyond() -> None:
    policy = RetryPolicy()
    delays = [policy.next_delay(attempt) for attempt in range(1, 200)]
    assert 0 <= delays[0] <= 0.5
    assert max(delays) <= 30
    assert max(delays[8:]) > 20  # of 190 delays with full jitter not one would be above 20 s once in 10^33 runs
    assert 20 <= policy.next_delay(1, retry_after=20) <= 20.5
    assert 300 <= policy.next_delay(1, retry_after=100_000) <= 300.5


def test_a_partial_success_that_rejects_nothing_is_a_success(root: Path, otlp: Otlp) -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    warning = ExportLogsServiceResponse()
    warning.partial_success.error_message = "deprecated"
    otlp.policy = lambda _received: Reply(body=warning.SerializeToString())
    service = writer(root)
    append(service, 2)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert len(otlp.requests) == 1


TRICKLES = {
    "status line": b"",
    "headers": b"HTTP/1.1 200 OK\r\nx-header: ",
    "interim answers": b"HTTP/1.1 100 Continue\r\nx: ",
    "body": b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 10000\r\n\r\n",
    "chunked body": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
}


@contextlib.contextmanager
def trickling(begin: bytes, *, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """An address that answers with these bytes, and then one every 20 ms for ever: each `recv` is in time, the whole never is."""
    gone = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), connection:
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
                connection = context.wrap_socket(connection, server_side=True)
            connection.recv(65536)
            connection.sendall(begin)
            while not gone.wait(0.02):
                connection.sendall(b"1")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}/v1/logs"
    finally:
        gone.set()
        listener.close()
        thread.join(10)


@pytest.mark.parametrize("begin", TRICKLES.values(), ids=TRICKLES)
def test_an_answer_that_trickles_in_is_given_up_after_the_time_for_one_request(begin: bytes) -> None:
    with trickling(begin) as url:
        exporter = Exporter(Settings(endpoint=url, timeout=0.3))
        outcome = exporter.send(b"")
        exporter.close()
    assert outcome.result is Result.UNREACHABLE
    assert "not whole after 0.3 s" in outcome.reason


def test_an_encrypted_answer_that_trickles_in_is_given_up_too(tmp_path: Path) -> None:
    make_certificates(tmp_path, "server")
    with trickling(TRICKLES["headers"], tls=(tmp_path / "server.pem", tmp_path / "server.key")) as url:
        exporter = Exporter(Settings(endpoint=url, timeout=0.5, certificate=str(tmp_path / "server.pem")))
        outcome = exporter.send(b"")
        exporter.close()
    assert "not whole after 0.5 s" in outcome.reason
