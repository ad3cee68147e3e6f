"""OTLP/HTTP: /v1/logs, /v1/traces, /v1/metrics, in protobuf and JSON, answered only after the rows are in their tables.

Source: the OTLP specification 1.9, "OTLP/HTTP". 200 with the signal's response in the encoding of the request; 400 for a body that cannot be parsed,
413 for a body that is too large, 415 for another content type: these would fail again. All errors of the engine are 503 with Retry-After, a missing
table too: an operator can repair the table, and a sender that keeps its records (the shipper, a Collector) then delivers them.
Errors carry a google.rpc.Status.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from tokentrail.embedded.access import Gate, TooOften
from tokentrail.embedded.engine import Engine
from tokentrail.embedded.errors import ClientGone, EngineError
from tokentrail.embedded.exchange import Exchange
from tokentrail.embedded.frames import decode
from tokentrail.embedded.group_commit import GroupCommit
from tokentrail.embedded.inserts import insert
from tokentrail.embedded.otlp_density import check_density, check_rows
from tokentrail.embedded.otlp_engine import framed, insert_requests, reads, table_of
from tokentrail.embedded.otlp_logs import EVENT_TABLE, LOGS_TABLE, log_rows, repeated_bytes
from tokentrail.embedded.otlp_rows import Rows, metric_rows, span_rows
from tokentrail.journal.otlp import USER_AGENT

__all__ = ["OtlpReceiver"]

logger = logging.getLogger("tokentrail.embedded")

MAX_BODY: Final = 20 << 20
"""Bytes of one request, unpacked, as the Collector's default; `otlp_density` bounds what they become in memory."""
RETRY_AFTER: Final = "1"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
INVALID_ARGUMENT: Final = 3  # google.rpc.Code
RESOURCE_EXHAUSTED: Final = 8
PERMISSION_DENIED: Final = 7
UNAUTHENTICATED: Final = 16
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14
IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
# Tables are partitioned by month or day: a backlog of many days is one INSERT, which must not fail as a whole.
INSERT_SETTINGS: Final = {"async_insert": "0", "max_partitions_per_insert_block": "0"}


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """The error answer to a request: HTTP status, google.rpc code, one sentence."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OTLP's signals: its message types and its rows.

    `rows` returns the rows of a request, and a sentence about metrics that were left out. `tables`: the tables into which the engine itself can store
    requests of the signal.
    """

    request: type[Any]
    response: Callable[[], Any]
    rows: Callable[[Any], tuple[Rows, str]]
    tables: Sequence[str] = ()


def _metric_rows(request: Any) -> tuple[Rows, str]:
    rows, unknown = metric_rows(request)
    return rows, f"{unknown} metrics have no data of a known kind and were left out" if unknown else ""


SIGNALS: Final = {
    "/v1/logs": Signal(
        logs.ExportLogsServiceRequest,
        logs.ExportLogsServiceResponse,
        lambda request: (log_rows(request), ""),
        tables=(EVENT_TABLE, LOGS_TABLE),
    ),
    "/v1/traces": Signal(traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, lambda request: (span_rows(request), "")),
    "/v1/metrics": Signal(metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, _metric_rows),
}


class _Lines(dict[str, GroupCommit]):
    """The INSERTs of rows in JSON, by the statement's head: a table and its columns."""

    def __init__(self, engine: Engine, database: str) -> None:
        super().__init__()
        self._insert = partial(insert, engine, database, INSERT_SETTINGS)

    def __missing__(self, head: str) -> GroupCommit:
        return self.setdefault(head, GroupCommit(lambda lines: self._insert(head, "JSONEachRow", lines)))


class OtlpReceiver:
    """Serves OTLP/HTTP: stores requests in the tables of `database` in `engine`."""

    def __init__(self, engine: Engine, database: str, gate: Gate | None = None) -> None:
        self._engine = engine
        self._gate = gate or Gate()
        self._database = database
        self._commits = {
            table: GroupCommit(partial(insert_requests, engine, database, INSERT_SETTINGS, table), partial(reads, engine, table))
            for signal in SIGNALS.values()
            for table in signal.tables
        }
        self._lines = _Lines(engine, database)

    def __call__(self, exchange: Exchange) -> None:
        """Answers one request."""
        media = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            signal = self._signal(exchange, media)
            request, body = _parsed(signal, _read(exchange), media)
            left_out = self._store(signal, request, body, own=exchange.headers.get("user-agent") == USER_AGENT)
        except ClientGone:
            raise
        except Refused as refused:
            _refuse(exchange, refused, media)
        except EngineError as error:
            logger.warning("%s was not stored: %s", exchange.path, error.message)
            _refuse(exchange, Refused(503, UNAVAILABLE, error.message), media)
        else:
            response = signal.response()
            if left_out:
                response.partial_success.error_message = left_out
            _reply(exchange, 200, response, media)

    def _signal(self, exchange: Exchange, media: str) -> Signal:
        if not self._gate.knows(exchange):
            raise Refused(403, PERMISSION_DENIED, "foreign web pages are not answered, nor names of this server that --allow-host lacks")
        try:
            self._gate.admit(exchange, bearer=True)
        except TooOften as often:
            raise Refused(429, RESOURCE_EXHAUSTED, often.message) from often
        except EngineError as error:
            raise Refused(401, UNAUTHENTICATED, error.message) from error
        signal = SIGNALS.get(exchange.path)
        if signal is None:
            raise Refused(404, UNIMPLEMENTED, f"there is no {exchange.path}: this is OTLP/HTTP with {', '.join(SIGNALS)}")
        if exchange.method != "POST":
            raise Refused(405, UNIMPLEMENTED, f"{exchange.path} takes POST only")
        if media not in {PROTOBUF, JSON}:
            raise Refused(415, INVALID_ARGUMENT, f"Content-Type must be {PROTOBUF} or {JSON}; for gRPC: set the protocol to http/protobuf")
        if self._engine.state != "ready":
            raise Refused(503, UNAVAILABLE, f"the embedded ClickHouse is {self._engine.state}: try again")
        return signal

    def _store(self, signal: Signal, request: Any, body: bytes, *, own: bool) -> str:
        """Stores a request. Returns a sentence about what was left out. `own`: a shipper of this package wrote the request."""
        if signal.tables and self._engine_stores(table_of(request, body, own=own), request, body):
            return ""
        rows, left_out = signal.rows(request)
        # the landing table comes first, so that an error of another table never blocks the ledger
        for table, entries in rows.items():
            if entries:
                columns = ", ".join(f"`{name}`" for name in entries[0])
                commit = self._lines[f"INSERT INTO `{table}` ({columns})"]
                commit.store(msgspec.json.Encoder().encode_lines(entries))
        return left_out

    def _engine_stores(self, table: str, request: Any, body: bytes) -> bool:
        """Lets the engine read and store a request, together with requests that wait beside it. Returns false if the engine cannot read it."""
        commit = self._commits.get(table)
        if commit is None:
            return False
        try:
            commit.store(framed(body), len(body) + repeated_bytes(request))
        except EngineError as error:
            if error.transient:
                raise
            return False
        return True


def _read(exchange: Exchange) -> bytes:
    try:
        return b"".join(_bounded(decode(_bounded(exchange.chunks()), exchange.headers.get("content-encoding", ""))))
    except EngineError as error:
        raise Refused(400, INVALID_ARGUMENT, error.message) from error


def _bounded(chunks: Iterable[bytes]) -> Iterable[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
        yield chunk


def _too_large() -> Refused:
    return Refused(413, RESOURCE_EXHAUSTED, f"the request is larger than {MAX_BODY >> 20} MiB: send smaller batches")


def _parsed(signal: Signal, body: bytes, media: str) -> tuple[Any, bytes]:
    """Returns a request as protobuf's object and in protobuf's bytes."""
    try:
        check_density(body, is_json=media == JSON)
        if media == JSON:
            request = signal.request()
            stated = msgspec.json.decode(body)
            _check_objects(stated, request.DESCRIPTOR)
            json_format.ParseDict(_with_binary_ids(stated), request, ignore_unknown_fields=True)
            body = request.SerializeToString()
        else:
            request = signal.request.FromString(body)
        check_rows(request)
    except OverflowError as error:
        raise Refused(413, RESOURCE_EXHAUSTED, f"the request is too large: {error}") from error
    except (DecodeError, msgspec.DecodeError, json_format.ParseError, ValueError, AttributeError, TypeError, RecursionError) as error:
        name = signal.request.__name__
        raise Refused(400, INVALID_ARGUMENT, f"the body is no {name} in {media}: {error}") from error
    return request, body


def _check_objects(value: Any, message: Any) -> None:
    """Raises ValueError if a text or a list stands where JSON has an object: protobuf's reader takes their parts for names of fields."""
    if not isinstance(value, dict):
        raise ValueError(f"{message.name} is no object")  # noqa: TRY004 - caught with the other errors of a value
    for name, item in value.items():
        field = message.fields_by_camelcase_name.get(name) or message.fields_by_name.get(name)
        if field is None or field.message_type is None or item is None:
            continue
        for each in item if isinstance(item, list) and _is_repeated(field) else [item]:
            _check_objects(each, field.message_type)


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)  # the former since protobuf 6.31


def _with_binary_ids(value: Any) -> Any:
    """Converts ids from hex, as in OTLP/JSON, to base64, as in protobuf's own JSON."""
    if isinstance(value, list):
        return [_with_binary_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            name: b64encode(bytes.fromhex(item)).decode() if name in IDS and isinstance(item, str) else _with_binary_ids(item)
            for name, item in value.items()
        }
    return value


def _refuse(exchange: Exchange, refused: Refused, media: str) -> None:
    exchange.drain()
    headers = [("Connection", "close")]
    if refused.status == 503:  # noqa: PLR2004 - Service Unavailable
        headers.append(("Retry-After", RETRY_AFTER))
    if refused.status == 401:  # noqa: PLR2004 - Unauthorized
        headers.append(("WWW-Authenticate", 'Basic realm="tokentrail"'))
    _reply(exchange, refused.status, Status(code=refused.code, message=refused.message), media, headers)


def _reply(exchange: Exchange, status: int, message: Any, media: str, headers: Iterable[tuple[str, str]] = ()) -> None:
    body = message.SerializeToString() if media == PROTOBUF else json_format.MessageToJson(message, indent=None).encode()
    exchange.reply(status, body, [("Content-Type", PROTOBUF if media == PROTOBUF else JSON), *headers])
