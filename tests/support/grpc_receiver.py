"""An OTLP/gRPC receiver on grpcio's own server that answers as a test tells it, and keeps every log record that it took."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent import futures
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.support.otlp_receiver import Otlp, Policy, Received, Record, Reply, records_of

__all__ = ["GrpcOtlp", "answer_status", "refuses_with"]

METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
# the pytest process forks in other tests, and must not get grpcio's fork handlers; programs under test must not inherit the variable
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
try:
    import grpc
finally:
    del os.environ["GRPC_ENABLE_FORK_SUPPORT"]


def answer_status(code: str, message: str = "not now", *, retry_delay: float | None = None) -> Reply:
    """A status that takes nothing; with `retry_delay` seconds (RetryInfo) after another detail."""
    number = grpc.StatusCode[code].value[0]
    headers = {}
    if retry_delay is not None:
        status = Status(code=number, message=message)
        pause = Duration()
        pause.FromNanoseconds(int(retry_delay * 1e9))
        for detail in (DebugInfo(detail="why"), RetryInfo(retry_delay=pause)):
            status.details.add().Pack(detail)
        headers["grpc-status-details-bin"] = status.SerializeToString()
    return Reply(number, headers, message.encode(), lambda _record: False)  # type: ignore[arg-type]


def refuses_with(code: str, bad: Callable[[Record], bool]) -> Policy:
    """Takes nothing of a request with a bad record."""
    return lambda received: answer_status(code, "malformed") if any(map(bad, received.records)) else Reply()


class GrpcOtlp(Otlp, grpc.GenericRpcHandler):  # type: ignore[misc]
    """`with GrpcOtlp() as otlp`: `otlp.url` takes log requests. Answers come from `script` in order, then from `policy`; status 200 is OK."""

    protocol = "grpc"

    def __init__(self, policy: Policy | None = None, *, address: str = "127.0.0.1:0", tls: Any = None, options: dict[str, int] | None = None) -> None:
        super().__init__(policy)
        self._address = address
        self._credentials = tls
        self._options = options or {}

    def __enter__(self) -> GrpcOtlp:  # noqa: PYI034 - Self is newer than Python 3.10
        self._server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(self,), options=[("grpc.so_reuseport", 0), *self._options.items()])
        if self._credentials is not None:
            self._port = self._server.add_secure_port(self._address, self._credentials)
        else:
            self._port = self._server.add_insecure_port(self._address)
        self._server.start()
        return self

    def close(self) -> None:
        """Go away: connections are ended and refused from now on."""
        self._server.stop(0).wait(10)

    @property
    def url(self) -> str:
        if self._address.startswith("unix:"):
            return self._address
        return f"{'https' if self._credentials is not None else 'http'}://127.0.0.1:{self._port}"

    def service(self, details: Any) -> Any:
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, body: bytes, context: Any) -> bytes:
        headers = dict(context.invocation_metadata())
        reply = self.answer(Received(METHOD, headers, len(body), list(records_of(body))))
        if reply.status != 200:
            context.set_trailing_metadata(tuple(reply.headers.items()))
            context.abort(next(code for code in grpc.StatusCode if code.value[0] == reply.status), reply.body.decode())
        return reply.body
