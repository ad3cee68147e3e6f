"""OTLP requests as an application, our shipper and an OpenTelemetry SDK send them, and the plainest sender of them."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from tokentrail import semconv

SERVICE = "collector-tests"


def attributes(values: Mapping[str, str | int]) -> list[KeyValue]:
    """Return OTLP attributes: integers as integers, everything else as text."""
    return [
        KeyValue(key=name, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value))
        for name, value in values.items()
    ]


class Writer:
    """One writer of the ledger: hands out numbered usage events of about 1 kB, each worth seq input tokens and 1 output token."""

    def __init__(self) -> None:
        self.writer_id = uuid.uuid4().hex
        self.last_seq = 0

    def request(self, events: int, *, metadata_bytes: int = 0) -> bytes:
        """Return a log request with the next `events` usage events."""
        request = ExportLogsServiceRequest()
        logs = _resource(request.resource_logs.add())
        for _ in range(events):
            self.last_seq += 1
            logs.append(self._usage(self.last_seq, metadata_bytes))
        return request.SerializeToString()

    def _usage(self, seq: int, metadata_bytes: int) -> LogRecord:
        now = time.time_ns()
        fields: dict[str, str | int] = {
            "event": semconv.EVENT_USAGE,
            "key": f"query:tenant-{seq % 50}:{uuid.uuid4().hex}:{now}",
            "key_time": now,
            "ts": now,
            "tenant_id": f"tenant-{seq % 50}",
            "operation": "query",
            "endpoint": "chat",
            "gen_ai_operation": "chat",
            "provider": "groq",
            "request_model": "llama-3.1-8b-instant",
            "response_model": "llama-3.1-8b-instant",
            "response_id": f"chatcmpl-{uuid.uuid4()}",
            "model_family": "llama",
            "server_address": "api.example.test",
            "duration_ns": 123_456_789,
            "input_tokens": seq,
            "output_tokens": 1,
            "input_source": "reported",
            "output_source": "reported",
            "input_chars": 4 * seq,
        }
        if metadata_bytes:
            fields["metadata"] = '{"request": "' + "r" * metadata_bytes + '"}'
        known: dict[str, str | int] = {
            semconv.EVENT: semconv.EVENT_USAGE,
            semconv.SCHEMA: semconv.SCHEMA_VERSION,
            semconv.WRITER_ID: self.writer_id,
            semconv.SEQ: seq,
            semconv.GEN_AI_OPERATION: "chat",
            semconv.PROVIDER: "groq",
            semconv.REQUEST_MODEL: "llama-3.1-8b-instant",
            semconv.RESPONSE_MODEL: "llama-3.1-8b-instant",
            semconv.INPUT_TOKENS: seq,
            semconv.OUTPUT_TOKENS: 1,
        }
        return LogRecord(
            time_unix_nano=now,
            event_name=semconv.EVENT_NAME_PREFIX + semconv.EVENT_USAGE,
            body=AnyValue(string_value=json.dumps(fields)),
            attributes=attributes(known),
        )


def app_logs(lines: Iterable[str]) -> bytes:
    """Return a log request of an ordinary application."""
    request = ExportLogsServiceRequest()
    logs = _resource(request.resource_logs.add())
    logs.extend(LogRecord(time_unix_nano=time.time_ns(), body=AnyValue(string_value=line)) for line in lines)
    return request.SerializeToString()


def mixed_logs(writer: Writer, lines: Iterable[str]) -> bytes:
    """Return one request with both kinds of records in one scope, as an SDK's LoggerProvider sends them."""
    request = ExportLogsServiceRequest.FromString(writer.request(1))
    request.MergeFrom(ExportLogsServiceRequest.FromString(app_logs(lines)))
    moved = request.resource_logs[1].scope_logs[0].log_records
    request.resource_logs[0].scope_logs[0].log_records.extend(moved)
    del request.resource_logs[1]
    return request.SerializeToString()


def spans(trace_id: bytes, names: Iterable[str]) -> bytes:
    """Return a trace request with one client span per name."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes({semconv.SERVICE_NAME: SERVICE}))
    scope = resource.scope_spans.add()
    scope.scope.name = semconv.SCOPE
    now = time.time_ns()
    for number, name in enumerate(names, start=1):
        scope.spans.add(
            trace_id=trace_id,
            span_id=number.to_bytes(8, "big"),
            name=name,
            kind=3,
            start_time_unix_nano=now,
            end_time_unix_nano=now + 5_000_000,
            attributes=attributes({semconv.PROVIDER: "groq", semconv.INPUT_TOKENS: 12}),
        )
    return request.SerializeToString()


def metrics() -> bytes:
    """Return a metric request with a sum, a gauge, a histogram and an exponential histogram, one point each."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes({semconv.SERVICE_NAME: SERVICE}))
    scope = resource.scope_metrics.add()
    scope.scope.name = semconv.SCOPE
    now = time.time_ns()
    point = {"start_time_unix_nano": now - 1, "time_unix_nano": now, "attributes": attributes({semconv.PROVIDER: "groq"})}

    counter = scope.metrics.add(name=semconv.METRIC_INPUT_TOKENS, unit="{token}").sum
    counter.is_monotonic = True
    counter.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    counter.data_points.add(as_int=4711, **point)
    scope.metrics.add(name=semconv.METRIC_JOURNAL_BYTES, unit="By").gauge.data_points.add(as_int=99, **point)
    histogram = scope.metrics.add(name=semconv.METRIC_DURATION, unit="s").histogram
    histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    histogram.data_points.add(count=3, sum=1.5, bucket_counts=[1, 2, 0], explicit_bounds=[0.1, 1.0], **point)
    exponential = scope.metrics.add(name=semconv.METRIC_LEGACY_DURATION, unit="s").exponential_histogram
    exponential.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    exponential.data_points.add(count=2, sum=0.5, scale=3, zero_count=2, **point)
    return request.SerializeToString()


def post(otlp_http_url: str, signal: str, body: bytes, *, timeout_s: float = 30.0) -> int | None:
    """Send one request to /v1/<signal>; the status, or None where no answer came (the sender then knows nothing)."""
    address = urlsplit(otlp_http_url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout_s)
    try:
        connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer.status


class Sender(threading.Thread):
    """Sends as our shipper does: a request that got no full answer is sent again, byte for byte. `pause_s` bounds what there is to be stored at last."""

    def __init__(self, url: str, *, events: int = 100, pause_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.writer = Writer()
        self.acknowledged = 0
        self.unanswered = 0
        self._url = url
        self._events = events
        self._pause_s = pause_s
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.wait(self._pause_s):
            request = self.writer.request(self._events)
            while post(self._url, "logs", request) != 200:
                self.unanswered += 1
                self._enough.wait(0.02)
            self.acknowledged = self.writer.last_seq

    def stop(self) -> None:
        self._enough.set()
        self.join(timeout=60)
        assert not self.is_alive()


def _resource(logs: ResourceLogs) -> Iterable[LogRecord]:
    logs.resource.attributes.extend(attributes({semconv.SERVICE_NAME: SERVICE}))
    scope = logs.scope_logs.add()
    scope.scope.name = semconv.SCOPE
    return scope.log_records
