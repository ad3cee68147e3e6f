"""Servers before a Collector that misbehave as they are told and otherwise hand requests on, over OTLP/HTTP and OTLP/gRPC."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable
from concurrent import futures
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from tests.support.loopback import LoopbackServer

__all__ = ["HTTP_FAULTS", "STATUSES", "FaultyGrpc", "FaultyHttp", "healthy"]

STATUSES: Final = (
    100,
    *range(201, 207),
    *range(300, 305),
    307,
    308,
    *range(400, 419),
    *range(421, 427),
    428,
    429,
    431,
    451,
    *range(500, 512),
    529,
    599,
)
PROTOBUF: Final = "application/x-protobuf"
GRPC_METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

Fault = Callable[["FaultyHttp", BaseHTTPRequestHandler, bytes], None]


class FaultyHttp(LoopbackServer):
    """Plays `fault` for each request until `heal`, then hands requests on to `target`, a port of this machine."""

    def __init__(self, target: int, fault: Fault) -> None:
        self._target = target
        self.fault = fault
        self.played = 0
        self.healed = threading.Event()

    def heal(self) -> None:
        """Hands on everything from now on; whoever waits for an answer hears that the connection is closed."""
        self.fault = healthy
        self.healed.set()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Plays the fault."""
        self.played += 1
        self.fault(self, request, body)

    def forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        """Hands a request on. Returns status, content type and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            headers = {name: request.headers[name] for name in ("content-type", "content-encoding") if request.headers[name]}
            connection.request("POST", request.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        finally:
            connection.close()


def send(request: BaseHTTPRequestHandler, code: int, kind: str, body: bytes, **headers: str) -> None:
    """Answers."""
    request.send_response(code)
    for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Closes the connection."""
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def healthy(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Hands the request on, and the answer back."""
    try:
        code, kind, answer = server.forward(request, body)
    except OSError:
        hang_up(request)
        return
    send(request, code, kind, answer)


def status(code: int, **headers: str) -> Fault:
    """Returns a fault that takes nothing and answers this status."""
    return lambda _server, request, _body: send(request, code, "text/plain", b"" if code in (100, 204, 304) else b"not now", **headers)


def taken_and_cut(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Takes everything, and the answer is lost."""
    server.forward(request, body)
    hang_up(request)


def taken_and_half(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Takes everything, and answers half."""
    server.forward(request, body)
    request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 64\r\n\r\n\x0a\x10")
    hang_up(request)


def taken_and_garbage(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Takes everything, and answers what is no OTLP."""
    server.forward(request, body)
    send(request, 200, PROTOBUF, b"\xff\xff\xff\xff")


def rejected(taken: bool) -> Fault:
    """Returns a fault that says that one record was rejected, of a request that was taken whole, or not at all."""

    def play(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if taken:
            server.forward(request, body)
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = 1
        answer.partial_success.error_message = "as planned"
        send(request, 200, PROTOBUF, answer.SerializeToString())

    return play


def black_hole(server: FaultyHttp, request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Answers nothing until the fault is over."""
    server.healed.wait(120)
    hang_up(request)


def drips(server: FaultyHttp, request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Answers a byte now and then, and never all of them."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 5000\r\n\r\n")
    while not server.healed.wait(0.1):
        request.wfile.write(b"\x00")
        request.wfile.flush()
    hang_up(request)


def slow(server: FaultyHttp, request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Takes everything, and answers late."""
    server.healed.wait(0.7)
    healthy(server, request, body)


HTTP_FAULTS: Final[dict[str, Fault]] = {
    **{f"status {code}": status(code) for code in STATUSES},
    "status 503 with Retry-After 3600": status(503, retry_after="3600"),
    "status 429 with an unreadable Retry-After": status(429, retry_after="soon"),
    "status 302 to itself": status(302, location="/v1/logs"),
    "200 with HTML": lambda _server, request, _body: send(request, 200, "text/html", b"<html>sign in</html>"),
    "200 with nothing taken, no content type": lambda _server, request, _body: send(request, 200, "", b""),
    "hangs up": lambda _server, request, _body: hang_up(request),
    "answer lost after acceptance": taken_and_cut,
    "half an answer after acceptance": taken_and_half,
    "garbage after acceptance": taken_and_garbage,
    "partial_success, all taken": rejected(taken=True),
    "partial_success, nothing taken": rejected(taken=False),
    "black hole": black_hole,
    "drips": drips,
    "slow": slow,
}


class FaultyGrpc:
    """The same over gRPC: aborts with a status code until `heal`, then hands requests on to a Collector's OTLP/HTTP port."""

    def __init__(self, target: int, code: str, *, taken: bool) -> None:
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        import grpc

        self._grpc = grpc
        self._target = target
        self._code = grpc.StatusCode[code]
        self._taken = taken
        self._healed = threading.Event()
        self.played = 0

    def heal(self) -> None:
        """Hands on everything from now on."""
        self._healed.set()

    def __enter__(self) -> FaultyGrpc:  # noqa: PYI034 - Self is newer than Python 3.10
        grpc = self._grpc
        method = grpc.unary_unary_rpc_method_handler(self._export)
        service, name = GRPC_METHOD.strip("/").split("/")
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait(10)

    def _export(self, body: bytes, context: Any) -> bytes:
        self.played += 1
        if self._taken or self._healed.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
            connection.request("POST", "/v1/logs", body, {"content-type": PROTOBUF})
            answer = connection.getresponse()
            read = answer.read()
            connection.close()
            if answer.status != 200:
                context.abort(self._grpc.StatusCode.UNAVAILABLE, "the Collector")
            if self._healed.is_set():
                return read
        context.abort(self._code, "as planned")
        raise AssertionError
