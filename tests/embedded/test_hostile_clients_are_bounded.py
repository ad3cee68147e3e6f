"""What a client may cost: memory for bombs and nesting, time for slow heads, bodies and readers, and connections."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator

import lz4.frame
import pytest
from backports import zstd
from clickhouse_cityhash.cityhash import CityHash128

from tests.support.embedded import ask, connected, read_everything
from tests.support.journal import usage
from tests.support.processes import peak_kib
from tokentrail.embedded import exchange, frames, front, listener, otlp_density
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.exchange import Exchange
from tokentrail.embedded.listener import Listener, bind
from tokentrail.embedded.server import Addresses
from tokentrail.journal import otlp
from tokentrail.journal.records import Header, encode

PROTOBUF = {"Content-Type": "application/x-protobuf"}
ZEROS = bytes(16 << 20)
PACKED = {
    "gzip": gzip.compress(ZEROS, 1) * 64,
    "deflate": zlib.compress(ZEROS, 1) * 64,
    "zstd": zstd.compress(ZEROS) * 64,
    "lz4": lz4.frame.compress(ZEROS) * 64,
}
"""A gibibyte of zeros each."""


@pytest.mark.parametrize("encoding", PACKED)
def test_a_bomb_is_413_and_is_never_unpacked(server: Addresses, encoding: str) -> None:
    before = peak_kib(server.pid)
    reply = ask(server.otlp, "POST", "/v1/logs", PACKED[encoding], PROTOBUF | {"Content-Encoding": encoding})
    assert reply.status == 413
    assert peak_kib(server.pid) - before < 200 << 10


def nested(*parts: bytes) -> bytes:
    """A message in a message, in a message: each is a field's tag, and what is in the innermost."""
    body = parts[-1]
    for tag in reversed(parts[:-1]):
        size, length = len(body), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        body = tag + length + bytes([size]) + body
    return body


MANY = (20 << 20) - 100
DENSE = {
    "records": nested(b"\x0a", b"\x12", b"\x12\x00" * (MANY // 2)),
    "records, spelt longer": nested(b"\x0a", b"\x12", b"\x92\x00\x80\x00" * (MANY // 4)),
    "resources": b"\x0a\x00" * (MANY // 2),
    "attributes": nested(b"\x0a", b"\x12", b"\x12", b"\x32\x00" * (MANY // 2)),
    "attributes with a value": nested(b"\x0a", b"\x12", b"\x12", b"\x32\x04\x12\x02\x0a\x00" * (MANY // 6)),
}


@pytest.mark.parametrize("what", DENSE)
def test_many_empty_parts_are_413_and_never_parsed(server: Addresses, what: str) -> None:
    before = peak_kib(server.pid)
    reply = ask(server.otlp, "POST", "/v1/logs", DENSE[what], PROTOBUF)
    assert reply.status == 413, reply.status
    assert peak_kib(server.pid) - before < 200 << 10


RESOURCE = nested(b"\x0a", b"\x0a", b"\x12", b"\x0a" + b"\x80\x80\x40" + b"x" * (1 << 20))  # one attribute of a mebibyte
SPARSE = {
    "records": ("logs", nested(b"\x0a", b"\x12", b"\x12\x00" * 250_000)),
    "spans": ("traces", nested(b"\x0a", b"\x12", b"\x12\x00" * 250_000)),
    "points": ("metrics", nested(b"\x0a", b"\x12", b"\x12", b"\x2a", b"\x0a\x00" * 250_000)),
    "repeated in spans": ("traces", nested(b"\x0a", RESOURCE + nested(b"\x12", b"\x12\x00" * 1000))),
    "repeated in points": ("metrics", nested(b"\x0a", RESOURCE + nested(b"\x12", b"\x12", b"\x2a", b"\x0a\x00" * 1000))),
}


@pytest.mark.parametrize("what", SPARSE)
def test_too_many_rows_are_413(server: Addresses, what: str) -> None:
    before = peak_kib(server.pid)
    signal, body = SPARSE[what]
    reply = ask(server.otlp, "POST", f"/v1/{signal}", body, PROTOBUF)
    assert reply.status == 413, reply.body
    assert peak_kib(server.pid) - before < 200 << 10


def test_a_usual_request_is_not_searched_for_empty_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search would take more than half of what a record costs `serve`: it is only for a request that has enough small bytes."""
    sizes: list[int] = []

    class Pattern:
        def finditer(self, body: bytes) -> Iterator[object]:
            sizes.append(len(body))
            return iter(())

    monkeypatch.setattr(otlp_density, "TINY", Pattern())
    header, recorded = Header(writer_id="0" * 32, created=1, first_seq=1, resource={"service.name": "shop"}), usage(1)
    record = otlp.log_record(recorded, encode(recorded), 1, header.writer_id)
    usual = otlp.request(header, [record] * ((2 * otlp_density.MOST_TINY + (1 << 20)) // len(record)))
    otlp_density.check_density(usual, is_json=False)
    assert not sizes
    otlp_density.check_density(DENSE["records"], is_json=False)
    assert sizes == [len(DENSE["records"])]


def test_many_empty_parts_in_json_are_413(server: Addresses) -> None:
    before = peak_kib(server.pid)
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b",".join([b"{}"] * (MANY // 3 - 50)) + b"]}]}]}"
    assert ask(server.otlp, "POST", "/v1/logs", body, {"Content-Type": "application/json"}).status == 413
    assert peak_kib(server.pid) - before < 200 << 10


def framed(method: int, packed: bytes, raw_size: int) -> bytes:
    body = struct.pack("<BII", method, len(packed) + 9, raw_size) + packed
    digest = CityHash128(body)
    return struct.pack("<QQ", digest >> 64, digest & ((1 << 64) - 1)) + body


@pytest.mark.parametrize(
    "frame",
    [framed(frames.ZSTD, zstd.compress(ZEROS), 10), framed(frames.ZSTD, zstd.compress(b"x"), 1 << 29), framed(frames.LZ4, b"\x1f0\x01\x00", 1 << 29)],
    ids=["more than it states", "less than it states", "half a gibibyte"],
)
def test_a_frame_is_as_large_as_it_states_and_not_too_large(frame: bytes) -> None:
    with pytest.raises(EngineError, match=r"more or less than it states|impossible size"):
        list(frames.out_of_frames([frame]))


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceLogs":' * 30_000,
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}).replace('"x"', "[" * 100_000).encode(),
    ],
    ids=["objects", "lists"],
)
def test_deep_json_is_400(server: Addresses, body: bytes) -> None:
    assert ask(server.otlp, "POST", "/v1/logs", body, {"Content-Type": "application/json"}).status == 400


def test_deep_protobuf_is_400(server: Addresses) -> None:
    value = b""
    for _ in range(5_000):  # AnyValue in ArrayValue in AnyValue …
        value = b"\x2a" + varint(len(value)) + value
        value = b"\x0a" + varint(len(value)) + value
    body = value
    for tag in (b"\x2a", b"\x12", b"\x12", b"\x0a"):  # body, log record, scope, resource
        body = tag + varint(len(body)) + body
    assert ask(server.otlp, "POST", "/v1/logs", body, PROTOBUF).status == 400


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.parametrize("head", [b"X: " + b"x" * (2 << 20), b"X: y\r\n" * 400_000], ids=["one header", "many headers"])
@pytest.mark.parametrize("port", ["http", "otlp"])
def test_a_huge_head_is_refused(server: Addresses, port: str, head: bytes) -> None:
    address = getattr(server, port)
    with connected(address) as connection:
        answer = b""
        try:
            connection.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\n" + head)
            answer = read_everything(connection)
        except ConnectionError:
            pass  # refused before it was sent
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert ask(server.http, "GET", "/ping").status == 200


def test_a_huge_query_string_is_refused(server: Addresses) -> None:
    with connected(server.http) as connection:
        answer = b""
        try:
            connection.sendall(b"GET /?query=" + b"x" * (2 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = read_everything(connection)
        except ConnectionError:
            pass
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("begin", [b"SELECT '", b"/* ", b" " * 10, b"-- "], ids=["a text", "a comment", "blanks", "a line"])
def test_a_statement_without_an_end_is_refused(server: Addresses, begin: bytes) -> None:
    size = front.MOST_STATEMENT + (1 << 20)
    before = peak_kib(server.pid)
    filling = b" " if begin.isspace() else b"x"
    reply = ask(server.http, "POST", "/", begin + filling * size, timeout_s=300)
    assert reply.status >= 400
    assert "more than 64 MiB" in reply.text
    assert peak_kib(server.pid) - before < 500 << 10


FORM = {"Content-Type": "multipart/form-data; boundary=x0"}
FIELD = b'--x0\r\nContent-Disposition: form-data; name="param_%d"\r\n\r\n1\r\n'
FORMS = {
    "fields": b"".join(FIELD % number for number in range(2000)) + b"--x0--\r\n",
    "empty fields": b"--x0\r\n\r\n\r\n" * 2000 + b"--x0--\r\n",
    "forms in forms": b"".join(b"--x%d\r\nContent-Type: multipart/form-data; boundary=x%d\r\n\r\n" % (n, n + 1) for n in range(2000)),
    "headers": b"--x0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n1\r\n--x0--\r\n",
    "an end that is missing": b'--x0\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1',
}


@pytest.mark.parametrize("what", FORMS)
def test_a_form_is_small_and_whole(server: Addresses, what: str) -> None:
    reply = ask(server.http, "POST", "/", FORMS[what], FORM, query="SELECT 1")
    assert reply.status >= 400
    assert "form" in reply.text
    assert "(BAD_ARGUMENTS)" in reply.text


@pytest.mark.parametrize("statement", ["SELECT 1", "SELEC", "INSERT INTO nothing FORMAT CSV"])
def test_an_id_of_a_statement_is_no_header(server: Addresses, statement: str) -> None:
    reply = ask(server.http, "POST", "/", statement, query_id="a\r\nX-Planted: yes")
    assert reply.status >= 400
    assert "query_id" in reply.text
    assert "x-planted" not in reply.headers
    assert ask(server.http, "POST", "/", "SELECT 1", query_id="señor").headers["x-clickhouse-query-id"] == "señor"


@pytest.fixture
def served() -> Iterator[Callable[..., tuple[str, int]]]:
    """Listeners of a test's own in this process, with a handler."""
    started: list[Listener] = []

    def serve(handle: Callable[[Exchange], None]) -> tuple[str, int]:
        listening = bind("127.0.0.1", 0, "--port")
        started.append(Listener({listening: handle}, 1))
        started[-1].start()
        address: tuple[str, int] = listening.getsockname()
        return address

    yield serve
    for each in started:
        each.stop()


def answer_ok(asked: Exchange) -> None:
    for _ in asked.chunks():
        pass
    asked.reply(200, b"ok")


def read_answer(connection: socket.socket) -> bytes:
    """What comes until the answer's body, or the end."""
    connection.settimeout(30)
    said = b""
    while not said.endswith((b"\r\n\r\n", b"ok")) or (said.startswith(b"HTTP/1.1 200") and not said.endswith(b"ok")):
        piece = connection.recv(65536)
        if not piece:
            break
        said += piece
    return said


def test_a_head_that_does_not_end_is_408(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.3)
    address = served(answer_ok)
    with socket.create_connection(address) as first, socket.create_connection(address) as later:
        first.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        later.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n")  # one request is whole, and the next one begun
        assert read_answer(first).startswith(b"HTTP/1.1 408")
        said = read_everything(later)
        assert b"ok" in said
        assert b"HTTP/1.1 408" in said


def test_a_client_that_says_nothing_yet_is_not_refused(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.05)
    with socket.create_connection(served(answer_ok)) as connection:
        time.sleep(0.3)  # longer than a head may take
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200")


def test_connections_beyond_the_bound_cost_the_idlest_one(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "most_connections", lambda: 3)
    address = served(answer_ok)
    held = []
    try:
        for _ in range(20):
            held.append(socket.create_connection(address))
            held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_answer(held[-1]).startswith(b"HTTP/1.1 200")
        assert read_everything(held[0]) == b""
        assert [each for each in held[-2:] if open_still(each)] == held[-2:]
    finally:
        for each in held:
            each.close()


def open_still(connection: socket.socket) -> bool:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return read_answer(connection).startswith(b"HTTP/1.1 200")


def test_a_body_that_drips_is_408(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PACE_AFTER", 0.2)
    with socket.create_connection(served(answer_ok)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        connection.settimeout(0.05)
        deadline = time.monotonic() + 30
        said = b""
        while not said and time.monotonic() < deadline:
            try:
                connection.sendall(b"x")
                said = connection.recv(65536)
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408")


def test_a_refused_client_that_sends_no_body_gives_its_thread_back(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "DRAIN_SECONDS", 0.2)

    def refuse(asked: Exchange) -> None:
        asked.drain()
        asked.reply(403, b"no", [("Connection", "close")])

    with socket.create_connection(served(refuse), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 403")


def test_a_reader_that_stops_reading_gives_its_thread_back(served: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SEND_SECONDS", 0.3)
    ended: list[str] = []

    def flood(asked: Exchange) -> None:
        asked.start(200, [])
        try:
            for _ in range(10_000):
                asked.write(bytes(1 << 16))
        except Exception as error:
            ended.append(type(error).__name__)
            raise

    with socket.create_connection(served(flood)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 30
        while not ended and time.monotonic() < deadline:
            time.sleep(0.02)
    assert ended == ["ClientGone"]
