"""One OTLP/HTTP request, and what its answer means. Only a full success is a success: 3xx and partial answers are not."""

from __future__ import annotations

import email.utils
import gzip
import time
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
from tokentrail.settings import Settings

if TYPE_CHECKING:
    from tokentrail.journal.grpc_exporter import GrpcExporter

__all__ = ["DEFAULT_ENDPOINT", "Exporter", "Outcome", "Result", "endpoint_of", "endpoint_problem", "exporter_for", "outcome_of_response"]

MAX_ANSWER: Final = 64 * 1024


class Result(Enum):
    """What became of a request."""

    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"  # nobody answered: try the same again
    BUSY = "busy"  # it answered that it cannot now; a request that is too large for its queue gets this for ever
    REFUSED = "refused"  # it will not take these records: halve, and put aside what stays refused alone
    MISCONFIGURED = "misconfigured"  # wrong address, protocol or credentials: keep everything, and say so


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a request, its reason in words, and how long the server asked to wait (seconds)."""

    result: Result
    reason: str = ""
    retry_after: float | None = None


def _seconds(header: str | None) -> float | None:
    """Retry-After: a number of seconds, or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def exporter_for(settings: Settings) -> Exporter | GrpcExporter:
    """The exporter of the settings' protocol; `endpoint_problem` says beforehand whether that protocol can be shipped."""
    if protocol_of(settings) != GRPC:
        return Exporter(settings)
    from tokentrail.journal.grpc_exporter import GrpcExporter  # noqa: PLC0415 - its packages belong to an extra

    return GrpcExporter(settings)


def outcome_of_response(said: str, response: bytes) -> Outcome:
    """The meaning of an answer that says success: only one that rejects nothing is one."""
    try:
        parsed = ExportLogsServiceResponse.FromString(response)
    except DecodeError:
        return Outcome(Result.MISCONFIGURED, f"{said} with something that is no OTLP answer")
    rejected = parsed.partial_success.rejected_log_records
    if rejected:
        return Outcome(Result.REFUSED, f"{said} but rejected {rejected} records: {parsed.partial_success.error_message}")
    return Outcome(Result.ACCEPTED)


def cause_of(error: Exception, endpoint: str) -> str:
    """Why nobody could be asked, in words: what the network said, without the layers that wrap it."""
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

    def __init__(self, settings: Settings) -> None:
        self.endpoint = endpoint_of(settings)
        self._shown = bare(self.endpoint)
        self._hint = f" ({reason})" if (reason := why_not_grpc(settings)) else ""
        self._deadline = Deadline(settings.timeout)
        self._gzip = settings.compression == "gzip"
        self._headers = {"content-type": "application/x-protobuf", "user-agent": "tokentrail"} | dict(settings.headers)
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
        data = gzip.compress(body, 1) if self._gzip else body
        self._deadline.begin()
        try:
            response = self._pool.request("POST", self.endpoint, body=data, headers=self._headers, redirect=False, preload_content=False)
            answer = b""
            while len(answer) < MAX_ANSWER and (piece := response.read1(MAX_ANSWER - len(answer))):
                answer += piece
            if len(answer) == MAX_ANSWER:
                response.close()  # the rest is of no interest, and the next request must not find it
            response.release_conn()
        except Exception as error:  # urllib3's, the socket's, TLS's, and ValueError for headers that are none
            # a server that sends a byte now and then keeps no shipper
            late = f"the answer was not whole after {self._deadline.seconds:g} s"
            reason = late if self._deadline.over else cause_of(error, self.endpoint).replace(self.endpoint, self._shown)
            return Outcome(Result.UNREACHABLE, f"{self._shown}: {reason}{self._hint}")
        return self._meaning(response.status, response.headers.get("content-type", ""), answer, response.headers.get("retry-after"))

    def _meaning(self, status: int, content_type: str, answer: bytes, retry_after: str | None) -> Outcome:
        said = f"{self._shown} answered {status}"
        if status == 200:  # noqa: PLR2004
            return self._success(said, content_type, answer)
        if status in (408, 425, 429) or status >= 500:  # noqa: PLR2004
            return Outcome(Result.BUSY, said, _seconds(retry_after))
        if status in (400, 413, 422):
            return Outcome(Result.REFUSED, f"{said}: {answer[:200].decode('utf-8', 'replace')}")
        bare = urlsplit(self.endpoint).path in ("", "/")
        meant = f"; its path is missing, is {self._shown.rstrip('/')}/v1/logs meant?" if bare else ""
        return Outcome(Result.MISCONFIGURED, f"{said}: this is no OTLP/HTTP address for logs, or the credentials are wrong{meant}")

    def _success(self, said: str, content_type: str, answer: bytes) -> Outcome:
        # "The server MUST set Content-Type: application/x-protobuf" (OTLP/HTTP response); whatever else says 200 has stored nothing
        if "protobuf" not in content_type:
            return Outcome(Result.MISCONFIGURED, f"{said} with {content_type or 'no content type'}: this is no OTLP/HTTP address for logs")
        return outcome_of_response(said, answer)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
        self._deadline.close()
