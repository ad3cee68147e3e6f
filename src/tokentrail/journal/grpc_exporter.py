"""One OTLP/gRPC request, and the outcome of its status; the outcomes are those of OTLP/HTTP, so the shipper treats both alike.

Sources: OTLP specification 1.9, "OTLP/gRPC Response", "Failures" and "OTLP/gRPC Throttling"; `google.rpc.Status` in `grpc-status-details-bin`.

Where the specification demands "drop", the shipper keeps the records: no answer loses a record. So after INTERNAL and UNKNOWN, faults of the server,
the request is sent again as after HTTP's 500; after RESOURCE_EXHAUSTED without a pause, which means "too large" or "quota", the request is halved and
sent again, never put aside.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from tokentrail.journal.endpoint import Target, grpc_target
from tokentrail.journal.exporter import Outcome, Result, outcome_of_response
from tokentrail.journal.grpc_call import Answered, Channel, NotGrpc
from tokentrail.journal.headers import header_problem
from tokentrail.journal.tls import tls_reason
from tokentrail.process.diagnostics import one_line
from tokentrail.settings import Settings

__all__ = ["GrpcExporter"]

METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
NAMES: Final = (
    *(
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
    ),
    *("FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""Status names by their code (google.rpc.Code)."""
RETRYABLE: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
KEPT: Final = frozenset({"RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN"})
OWN_HEADERS: Final = frozenset({"te", "content-type", "user-agent", "host", "connection", "content-length", "transfer-encoding"})
"""Headers of HTTP/2 and gRPC, which a setting cannot replace."""


class GrpcExporter:
    """Sends requests to one gRPC server."""

    max_request_bytes = 3_000_000
    """A gRPC server takes 4 MiB by default, before compression."""

    def __init__(self, settings: Settings) -> None:
        self._target = grpc_target(settings)
        self.endpoint = str(self._target)
        self._settings = settings
        self._channel: Channel | None = None

    def send(self, body: bytes) -> Outcome:
        """Calls Export with one serialized ExportLogsServiceRequest; never raises."""
        packed = self._settings.compression == "gzip"
        if problem := header_problem(self._settings.headers, grpc=True):
            return Outcome(Result.MISCONFIGURED, f"{self.endpoint}: {problem}")
        try:
            metadata = list(_metadata(self._settings.headers))
            if self._channel is None:
                self._channel = Channel(self._target, context=_context(self._target, self._settings))
            message = gzip.compress(body, 1) if packed else body
            answered = self._channel.call(METHOD, metadata, message, compressed=packed, timeout=self._settings.timeout)
        except NotGrpc as error:
            return Outcome(Result.MISCONFIGURED, f"{self.endpoint}: {one_line(str(error))}: this is no OTLP/gRPC address")
        except TimeoutError:
            return Outcome(Result.UNREACHABLE, f"{self.endpoint}: no answer within {self._settings.timeout:g} seconds")
        except Exception as error:  # errors of the socket, TLS and h2
            return Outcome(Result.UNREACHABLE, f"{self.endpoint}: {tls_reason(error) or one_line(f'{type(error).__name__}: {error}')}")
        return self._outcome(answered)

    def _outcome(self, answered: Answered) -> Outcome:
        name = NAMES[answered.status] if answered.status < len(NAMES) else f"status {answered.status}"
        answer_text = f"{self.endpoint} answered {name}"
        if name == "OK":
            return outcome_of_response(answer_text, answered.body)
        answer_text += f": {one_line(answered.message[:200])}" if answered.message else ""
        if name in RETRYABLE or name in KEPT or name not in NAMES:
            return Outcome(Result.BUSY, answer_text, _retry_delay(answered.details))
        if name == "INVALID_ARGUMENT":
            return Outcome(Result.REFUSED, answer_text)
        return Outcome(Result.MISCONFIGURED, f"{answer_text}: this is no OTLP/gRPC address for logs, or the credentials are wrong")

    def close(self) -> None:
        """Closes the connection."""
        if self._channel is not None:
            self._channel.close()


def _metadata(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the settings' headers as gRPC metadata."""
    for name, value in headers.items():
        lower = name.lower()
        if lower not in OWN_HEADERS and not lower.startswith("grpc-"):
            yield lower, value


def _context(target: Target, settings: Settings) -> ssl.SSLContext | None:
    if not target.tls:
        return None
    context = ssl.create_default_context(cafile=settings.certificate or None)
    if settings.client_certificate:
        context.load_cert_chain(
            settings.client_certificate, settings.client_key or None, password=""
        )  # a key with a password would ask for it on the terminal
    context.set_alpn_protocols(["h2"])
    return context


def _retry_delay(details: str) -> float | None:
    """Returns the seconds that the server asks to wait: `RetryInfo` among the status's details."""
    if not details:
        return None
    try:
        status = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
        for detail in status.details:
            info = RetryInfo()
            if detail.Unpack(info):
                return max(0.0, float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    except (binascii.Error, ValueError, DecodeError):
        return None
    return None
