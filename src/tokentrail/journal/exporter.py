"""One OTLP/HTTP request, and the outcome of its answer. Only a full success counts as accepted: 3xx and partial answers do not."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import urllib3
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from tokentrail.addresses import bare
from tokentrail.journal.deadline import Deadline, pools
from tokentrail.journal.endpoint import DEFAULT_ENDPOINT, GRPC, endpoint_of, endpoint_problem, protocol_of, why_not_grpc
from tokentrail.journal.headers import header_problem
from tokentrail.journal.otlp import USER_AGENT
from tokentrail.journal.tls import tls_reason
from tokentrail.process.diagnostics import one_line
from tokentrail.retrying.transient import seconds_of
from tokentrail.settings import Settings

if TYPE_CHECKING:
    from tokentrail.journal.grpc_exporter import GrpcExporter

__all__ = ["DEFAULT_ENDPOINT", "Exporter", "Outcome", "Result", "endpoint_of", "endpoint_problem", "exporter_for", "outcome_of_response"]

MAX_ANSWER: Final = 64 * 1024


class Result(Enum):
    """The result of a request, and what the shipper does next."""

    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"  # no answer: send the same request again
    BUSY = "busy"  # the server cannot take the request now; a request larger than its queue gets this answer every time
    REFUSED = "refused"  # the server rejects these records: halve the request; a record that is refused alone is put aside
    MISCONFIGURED = "misconfigured"  # wrong address, protocol or credentials: keep all records, and log the reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a request, the reason as a sentence, and the pause that the server asked for (seconds). `late`: no answer was whole in time."""

    result: Result
    reason: str = ""
    retry_after: float | None = None
    late: bool = False


def exporter_for(settings: Settings) -> Exporter | GrpcExporter:
    """Returns the exporter of the settings' protocol; `endpoint_problem` reports beforehand a protocol that cannot be shipped."""
    if protocol_of(settings) != GRPC:
        return Exporter(settings)
    from tokentrail.journal.grpc_exporter import GrpcExporter  # noqa: PLC0415 - its packages belong to an extra

    return GrpcExporter(settings)


def outcome_of_response(answer_text: str, response: bytes) -> Outcome:
    """Returns the outcome of an answer with a success status: accepted only if no record was rejected."""
    try:
        parsed = ExportLogsServiceResponse.FromString(response)
    except DecodeError:
        return Outcome(Result.MISCONFIGURED, f"{answer_text} with something that is no OTLP answer")
    rejected = parsed.partial_success.rejected_log_records
    if rejected:
        return Outcome(Result.REFUSED, f"{answer_text} but rejected {rejected} records: {one_line(parsed.partial_success.error_message[:200])}")
    return Outcome(Result.ACCEPTED)


def cause_of(error: Exception, endpoint: str) -> str:
    """Returns why the server could not be reached: the network's error, without the exceptions that wrap that error."""
    if reason := tls_reason(error):
        return reason
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return f"the host {urlsplit(endpoint).hostname} cannot be resolved ({_strerror(error)})"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return _strerror(error)
    return f"{type(error).__name__}: {error}"


def _strerror(error: BaseException) -> str:
    below = error.__cause__ or error.__context__
    return str(getattr(below, "strerror", None) or below or error)


class Exporter:
    """Sends requests to one address over OTLP/HTTP."""

    max_request_bytes = 6_000_000
    """The Collector takes 20 MiB over HTTP; a server that takes less answers 413, and the shipper halves the request."""

    def __init__(self, settings: Settings) -> None:
        self.endpoint = endpoint_of(settings)
        self._shown = bare(self.endpoint)
        self._hint = f" ({reason})" if (reason := why_not_grpc(settings)) else ""
        self._deadline = Deadline(settings.timeout)
        self._wrong = header_problem(settings.headers, grpc=False)
        self._gzip = settings.compression == "gzip"
        self._headers = {"content-type": "application/x-protobuf", "user-agent": USER_AGENT} | dict(settings.headers)
        if self._gzip:
            self._headers["content-encoding"] = "gzip"
        self._pool = urllib3.PoolManager(
            maxsize=1,
            timeout=urllib3.Timeout(connect=min(settings.timeout, 10.0), read=settings.timeout),
            retries=False,
            ca_certs=settings.certificate or None,
            cert_file=settings.client_certificate or None,
            key_file=settings.client_key or None,
        )
        self._pool.pool_classes_by_scheme = pools(self._deadline)

    def send(self, body: bytes) -> Outcome:
        """POST one serialized ExportLogsServiceRequest; never raises."""
        if self._wrong:
            return Outcome(Result.MISCONFIGURED, f"{self._shown}: {self._wrong}")
        data = gzip.compress(body, 1) if self._gzip else body
        self._deadline.begin()
        try:
            response = self._pool.request("POST", self.endpoint, body=data, headers=self._headers, redirect=False, preload_content=False)
            answer = b""
            while len(answer) < MAX_ANSWER and (piece := response.read1(MAX_ANSWER - len(answer), decode_content=False)):
                answer += piece
            if len(answer) == MAX_ANSWER:
                response.close()  # the rest is not needed, and the next request must not read the rest
            response.release_conn()
        except Exception as error:  # errors of urllib3, the socket and TLS, and ValueError for invalid headers
            # a server that sends a byte now and then must not hold the shipper
            late = f"the answer was not whole after {self._deadline.seconds:g} s"
            reason = late if self._deadline.expired else cause_of(error, self.endpoint).replace(self.endpoint, self._shown)
            return Outcome(Result.UNREACHABLE, f"{self._shown}: {reason}{self._hint}", late=self._deadline.expired)
        return self._outcome(response.status, response.headers.get("content-type", ""), answer, response.headers.get("retry-after"))

    def _outcome(self, status: int, content_type: str, answer: bytes, retry_after: str | None) -> Outcome:
        answer_text = f"{self._shown} answered {status}"
        if status == 200:  # noqa: PLR2004
            return self._success(answer_text, content_type, answer)
        if status in (408, 425, 429) or status >= 500:  # noqa: PLR2004
            return Outcome(Result.BUSY, answer_text, seconds_of(retry_after))
        if status in (400, 413, 422):
            return Outcome(Result.REFUSED, f"{answer_text}: {one_line(answer[:200].decode('utf-8', 'replace'))}")
        bare = urlsplit(self.endpoint).path in ("", "/")
        meant = f"; its path is missing, is {self._shown.rstrip('/')}/v1/logs meant?" if bare else ""
        return Outcome(Result.MISCONFIGURED, f"{answer_text}: this is no OTLP/HTTP address for logs, or the credentials are wrong{meant}")

    def _success(self, answer_text: str, content_type: str, answer: bytes) -> Outcome:
        # "The server MUST set Content-Type: application/x-protobuf" (OTLP/HTTP response); any other server that answers 200 has stored nothing
        if "protobuf" not in content_type:
            return Outcome(
                Result.MISCONFIGURED, f"{answer_text} with {one_line(content_type[:200]) or 'no content type'}: this is no OTLP/HTTP address for logs"
            )
        return outcome_of_response(answer_text, answer)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()
        self._deadline.close()
