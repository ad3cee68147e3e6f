"""Over OTLP/gRPC the same rules hold: only OK without rejections moves the cursor, whatever a status asks for is done, and nothing is lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from tests.support.certificates import make_certificates
from tests.support.grpc_receiver import GrpcOtlp, answer_status, refuses_with
from tests.support.journal import append, shipper, usage, writer
from tests.support.otlp_receiver import Otlp, Received, Record, Reply, ok
from tokentrail import semconv
from tokentrail.journal.endpoint import endpoint_problem
from tokentrail.journal.exporter import Result, exporter_for
from tokentrail.journal.folder import load_cursor
from tokentrail.journal.records import encode
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings, from_environment

CODES = [code.name for code in grpc.StatusCode if code.name != "OK"]
KEEP_ALL = ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND", "FAILED_PRECONDITION", "ALREADY_EXISTS")


@pytest.fixture
def otlp() -> Iterator[GrpcOtlp]:
    with GrpcOtlp() as receiver:
        yield receiver


def send(otlp: Otlp, body: bytes = b"", **settings: object) -> object:
    exporter = exporter_for(Settings(**({"endpoint": otlp.url, "protocol": "grpc", "timeout": 5.0} | settings)))
    try:
        return exporter.send(body)
    finally:
        exporter.close()


@pytest.mark.parametrize("code", CODES)
def test_is_sent_again_until_it_is_taken(root: Path, otlp: GrpcOtlp, code: str) -> None:
    service = writer(root)
    append(service, 5)
    cursors = []
    otlp.script.extend([answer_status(code)] * 2)
    original = otlp.answer
    otlp.answer = lambda received: (cursors.append(load_cursor(service.folder).last_seq), original(received))[1]  # type: ignore[method-assign]
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert cursors[:3] == [0, 0, 0], "advanced before it was acknowledged"
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4, 5]
    assert load_cursor(service.folder).last_seq == 5
    assert not (root / "aside").exists()


@pytest.mark.parametrize("code", [code for code in CODES if code != "INVALID_ARGUMENT"])
def test_is_never_given_up(root: Path, otlp: GrpcOtlp, code: str) -> None:
    service = writer(root)
    append(service, 3)
    otlp.policy = lambda _received: answer_status(code)
    told: list[str] = []
    waits = iter([False] * 12 + [True])
    progress = shipper(root, otlp, wait=lambda _seconds, _asked: next(waits), complain=told.append).ship_folder(service.folder, live=True)
    assert not progress.done
    assert f"{otlp.url} answered {code}: not now" in progress.reason
    assert told
    assert ("credentials" in progress.reason) == (code in KEEP_ALL)
    assert otlp.taken == []
    assert not (root / "aside").exists()
    otlp.policy = lambda _received: ok()
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3]


@pytest.mark.parametrize(("code", "delay"), [("UNAVAILABLE", 7.5), ("RESOURCE_EXHAUSTED", 3), ("UNAVAILABLE", 0), ("UNAVAILABLE", 100_000)])
def test_a_server_that_asks_for_a_pause_gets_it(root: Path, otlp: GrpcOtlp, code: str, delay: float) -> None:
    service = writer(root)
    append(service, 1)
    otlp.script.append(answer_status(code, retry_delay=delay))
    waits: list[tuple[float, bool]] = []
    assert shipper(root, otlp, wait=lambda seconds, asked: bool(waits.append((seconds, asked)))).ship_folder(service.folder, live=True).done
    [(seconds, asked)] = waits
    assert min(delay, 300) <= seconds <= max(min(delay, 300), 0.01) + 0.001  # a jitter of the first delay
    assert asked


def test_details_that_cannot_be_read_ask_for_nothing(otlp: GrpcOtlp) -> None:
    otlp.script.append(Reply(14, {"grpc-status-details-bin": b"\xff\xff\xff"}, b"broken", lambda _record: False))  # type: ignore[dict-item]
    outcome = send(otlp)
    assert (outcome.result, outcome.retry_after) == (Result.BUSY, None)


def bad(record: Record) -> bool:
    return record.attributes.get(semconv.REQUEST_MODEL) == "poison"


def rejects(received: Received) -> Reply:
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = sum(map(bad, received.records))
    answer.partial_success.error_message = "malformed"
    return Reply(body=answer.SerializeToString(), keep=lambda record: not bad(record))


@pytest.mark.parametrize("policy", [refuses_with("INVALID_ARGUMENT", bad), rejects], ids=["INVALID_ARGUMENT", "partial success"])
def test_one_bad_record_is_put_aside_and_the_others_arrive(root: Path, otlp: GrpcOtlp, policy: object) -> None:
    otlp.policy = policy  # type: ignore[assignment]
    service = writer(root)
    append(service, 30)
    service.append(encode(usage(31, request_model="poison")))
    append(service, 20)
    progress = shipper(root, otlp).ship_folder(service.folder, live=True)
    assert (progress.done, progress.aside) == (True, 1)
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 52)) - {31}
    [kept] = (root / "aside").glob("*-31.json")
    assert "malformed" in kept.read_text()


def test_a_server_that_refuses_everything_moves_nothing_aside(root: Path, otlp: GrpcOtlp) -> None:
    otlp.policy = lambda _received: answer_status("INVALID_ARGUMENT")
    service = writer(root)
    append(service, 3)
    waits = iter([False] * 15 + [True])
    assert not shipper(root, otlp, wait=lambda _seconds, _asked: next(waits)).ship_folder(service.folder, live=True).done
    assert not (root / "aside").exists()


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_what_is_too_large_for_the_server_is_halved(root: Path, compression: str) -> None:
    with GrpcOtlp(options={"grpc.max_receive_message_length": 40_000}) as otlp:
        service = writer(root)
        append(service, 400)
        assert shipper(root, otlp, compression=compression).ship_folder(service.folder, live=True).done
        assert otlp.numbers(service.writer_id) == list(range(1, 401))
        assert max(request.size for request in otlp.requests) <= 40_000
        assert not (root / "aside").exists()


def test_large_requests_pass_the_servers_window(root: Path, otlp: GrpcOtlp) -> None:
    service = writer(root, segment_bytes=8 << 20)
    records = append(service, 300, metadata='{"text": "' + "m" * 16_000 + '"}')
    assert shipper(root, otlp, compression="none").ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == records
    assert 1_000_000 < max(request.size for request in otlp.requests) <= 3_000_000


def test_a_server_that_never_answers_is_left_after_the_timeout(root: Path, otlp: GrpcOtlp) -> None:
    release = threading.Event()
    try:
        otlp.script.append(Reply(14, {}, b"", lambda _record: False, release=release))
        service = writer(root)
        append(service, 3)
        assert shipper(root, otlp, timeout=0.3).ship_folder(service.folder, live=True).done
        assert otlp.numbers(service.writer_id) == [1, 2, 3]
    finally:
        release.set()


PINGS = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8)
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("piece", [b"\x00", SETTINGS, PINGS], ids=["bytes of a frame that never ends", "settings", "pings"])
def test_an_answer_that_trickles_in_is_given_up_after_the_time_for_one_request(piece: bytes) -> None:
    gone = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), connection:
            connection.sendall(SETTINGS + (b"\x00\x40\x00\x01\x04\x00\x00\x00\x01" if len(piece) == 1 else b""))
            while not gone.wait(0.02):
                connection.sendall(piece)

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    exporter = exporter_for(Settings(endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}", protocol="grpc", timeout=0.3))
    try:
        outcome = exporter.send(b"")
        assert outcome.result is Result.UNREACHABLE
        assert "no answer within 0.3 seconds" in outcome.reason
    finally:
        gone.set()
        exporter.close()
        listener.close()
        thread.join(10)


def test_a_connection_that_the_server_ended_is_renewed_at_once(root: Path) -> None:
    service = writer(root)
    with GrpcOtlp() as first:
        waits: list[float] = []
        ships = shipper(root, first, wait=lambda seconds, _asked: bool(waits.append(seconds)))
        append(service, 2)
        assert ships.ship_folder(service.folder, live=True).done
        port = int(first.url.rpartition(":")[2])
    with GrpcOtlp(address=f"127.0.0.1:{port}") as second:
        append(service, 2)
        assert ships.ship_folder(service.folder, live=True).done
        assert (first.numbers(service.writer_id), second.numbers(service.writer_id)) == ([1, 2], [3, 4])
    assert waits == []


class Between:
    """Something between client and server that forwards bytes, and cuts a connection at its client's next word when `cut` is set."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cut = threading.Event()
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, of_client: bool) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                if of_client and self.cut.is_set():
                    self.cut.clear()
                    break
                sink.sendall(received)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()


def test_a_connection_that_is_cut_at_a_request_is_renewed_at_once(root: Path, otlp: GrpcOtlp) -> None:
    between = Between(int(otlp.url.rpartition(":")[2]))
    service = writer(root)
    waits: list[float] = []
    exporter = exporter_for(Settings(endpoint=between.url, protocol="grpc", timeout=5.0))
    ships = Shipper(root, exporter, wait=lambda seconds, _asked: bool(waits.append(seconds)))
    append(service, 2)
    assert ships.ship_folder(service.folder, live=True).done
    between.cut.set()
    append(service, 2)
    assert ships.ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4]
    assert (between.connections, waits) == (2, [])
    between.close()


def test_a_server_that_is_away_is_waited_for(root: Path) -> None:
    with GrpcOtlp() as gone:
        port = int(gone.url.rpartition(":")[2])
    back: list[GrpcOtlp] = []
    waits: list[float] = []

    def wait(seconds: float, _asked: bool) -> bool:
        waits.append(seconds)
        if len(waits) == 4:
            back.append(GrpcOtlp(address=f"127.0.0.1:{port}").__enter__())
        return False

    service = writer(root)
    append(service, 3)
    assert shipper(root, gone, wait=wait).ship_folder(service.folder, live=True).done
    assert back[0].numbers(service.writer_id) == [1, 2, 3]
    back[0].close()


def test_headers_become_metadata(otlp: GrpcOtlp) -> None:
    headers = {"Authorization": "Bearer a b", "x-tenant": "acme", "Content-Type": "text/plain", "grpc-timeout": "1n"}
    assert send(otlp, headers=headers).result is Result.ACCEPTED
    [request] = otlp.requests
    assert (request.headers["authorization"], request.headers["x-tenant"]) == ("Bearer a b", "acme")
    assert request.headers["user-agent"] == "tokentrail"


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"x-secret": "PLANTED\nbreak"}, "the header 'x-secret'"),
        ({"x-secret": "PLANTED\u20ac"}, "the header 'x-secret'"),
        ({"x secret": "PLANTED"}, "the name of header 1"),
        ({"x-secret: PLANTED": "="}, "the name of header 1"),
    ],
)
def test_a_header_that_is_none_is_named_and_its_value_is_not(otlp: GrpcOtlp, headers: dict[str, str], named: str) -> None:
    outcome = send(otlp, headers=headers)
    assert outcome.result is Result.MISCONFIGURED
    assert named in outcome.reason
    assert "PLANTED" not in outcome.reason
    assert otlp.requests == []


def test_an_http_server_is_told_apart() -> None:
    with Otlp() as web:
        outcome = send(web, endpoint=web.url.replace("/v1/logs", ""))
    # its answer is read, or the socket is gone before that
    assert outcome.result in (Result.MISCONFIGURED, Result.UNREACHABLE)
    assert "no OTLP/gRPC address" in outcome.reason or "is this the gRPC port?" in outcome.reason


def test_a_server_that_hangs_up_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        outcome = exporter_for(Settings(endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}", protocol="grpc", timeout=5.0)).send(b"")
    assert outcome.result is Result.UNREACHABLE


def test_a_unix_socket(tmp_path: Path) -> None:
    with GrpcOtlp(address=f"unix:{tmp_path}/otlp.sock") as otlp:
        assert send(otlp).result is Result.ACCEPTED
        assert send(otlp, endpoint=f"unix://{tmp_path}/otlp.sock").result is Result.ACCEPTED


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "server", "client")


def test_tls_with_certificates_of_ones_own(certificates: Path) -> None:
    key, chain, client = ((certificates / name).read_bytes() for name in ("server.key", "server.pem", "client.pem"))
    credentials = grpc.ssl_server_credentials([(key, chain)], client, require_client_auth=True)
    with GrpcOtlp(tls=credentials) as otlp:
        variables = {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url.removeprefix("https://"),  # without a scheme it is TLS
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "server.pem"),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificates / "client.pem"),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates / "client.key"),
        }
        settings = from_environment(variables, pytest.fail)
        assert endpoint_problem(settings) is None
        exporter = exporter_for(settings)
        assert exporter.send(b"").result is Result.ACCEPTED
        exporter.close()
        untrusted = send(otlp)
        assert untrusted.result is Result.UNREACHABLE
        assert "CERTIFICATE_VERIFY_FAILED" in untrusted.reason


def test_a_plain_address_without_a_scheme(otlp: GrpcOtlp) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_INSECURE": "true"}
    settings = from_environment(variables | {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url.removeprefix("http://")}, pytest.fail)
    assert endpoint_problem(settings) is None
    assert exporter_for(settings).send(b"").result is Result.ACCEPTED
