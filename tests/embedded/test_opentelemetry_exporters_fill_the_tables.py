from __future__ import annotations

import json
import time
import uuid

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.embedded import ask, number, rows
from tokentrail import semconv
from tokentrail.embedded.server import Addresses

COMPRESSIONS = [Compression.NoCompression, Compression.Gzip, Compression.Deflate]


@pytest.fixture
def service() -> Resource:
    return Resource.create({semconv.SERVICE_NAME: f"service-{uuid.uuid4().hex}"})


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_log_records_go_by_their_attribute(server: Addresses, service: Resource, compression: Compression) -> None:
    provider = LoggerProvider(resource=service)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{server.otlp}/v1/logs", compression=compression)))
    log = provider.get_logger("test")
    log.emit(LogRecord(timestamp=time.time_ns(), body="a line", attributes={"n": 1}))
    log.emit(LogRecord(timestamp=time.time_ns(), attributes={semconv.EVENT: semconv.EVENT_CLOSING}, event_name="tokentrail.closing"))
    provider.shutdown()
    where = f"WHERE ServiceName = '{service.attributes[semconv.SERVICE_NAME]}'"
    assert rows(server, f"SELECT Body, LogAttributes FROM otel_logs {where}") == [{"Body": "a line", "LogAttributes": {"n": "1"}}]
    assert rows(server, f"SELECT EventName, LogAttributes FROM usage_landing {where}") == [
        {"EventName": "tokentrail.closing", "LogAttributes": {semconv.EVENT: "closing"}}
    ]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_spans(server: Addresses, service: Resource, compression: Compression) -> None:
    provider = TracerProvider(resource=service)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{server.otlp}/v1/traces", compression=compression)))
    with provider.get_tracer("test").start_as_current_span("call", kind=SpanKind.CLIENT, attributes={"tokens": [1, 2]}) as span:
        span.set_status(StatusCode.ERROR, "too long")
    provider.shutdown()
    trace_id = format(span.get_span_context().trace_id, "032x")
    found = rows(server, f"SELECT SpanName, SpanKind, StatusCode, StatusMessage, SpanAttributes FROM otel_traces WHERE TraceId = '{trace_id}'")
    assert found == [
        {"SpanName": "call", "SpanKind": "Client", "StatusCode": "Error", "StatusMessage": "too long", "SpanAttributes": {"tokens": "[1,2]"}}
    ]


def test_metrics(server: Addresses, service: Resource) -> None:
    provider = MeterProvider(resource=service, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter(f"{server.otlp}/v1/metrics"))])
    meter = provider.get_meter("test")
    meter.create_counter("tokens").add(5)
    meter.create_histogram("seconds").record(3.5)
    provider.shutdown()
    where = f"WHERE ServiceName = '{service.attributes[semconv.SERVICE_NAME]}'"
    assert rows(server, f"SELECT MetricName, Value FROM otel_metrics_sum {where}") == [{"MetricName": "tokens", "Value": 5}]
    assert rows(server, f"SELECT MetricName, Count, Sum FROM otel_metrics_histogram {where}") == [{"MetricName": "seconds", "Count": 1, "Sum": 3.5}]


def test_json_with_ids_in_hex(server: Addresses) -> None:
    trace_id = uuid.uuid4().hex
    record = {"timeUnixNano": "1763856000123456789", "traceId": trace_id.upper(), "spanId": "00f067aa0ba902b7", "body": {"stringValue": "x"}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record | {"severityNumber": 9}], "unknownField": 1}]}]})
    reply = ask(server.otlp, "POST", "/v1/logs", body, {"Content-Type": "application/json"})
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/json", b"{}")
    found = rows(server, f"SELECT toString(Timestamp) AS t, SpanId, Body FROM otel_logs WHERE TraceId = '{trace_id}'")
    assert found == [{"t": "2025-11-23 00:00:00.123456789", "SpanId": "00f067aa0ba902b7", "Body": "x"}]


def test_a_backlog_of_many_days_is_one_request(server: Addresses) -> None:
    trace_id = uuid.uuid4().hex
    spans = [
        {"traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": "old", "startTimeUnixNano": str(day * 86_400 * 10**9)}
        for day in range(19000, 19400)
    ]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    assert ask(server.otlp, "POST", "/v1/traces", body, {"Content-Type": "application/json"}).status == 200
    assert number(server, f"SELECT count() FROM otel_traces WHERE TraceId = '{trace_id}'") == 400


def test_a_time_beyond_all_times_fails_no_batch(server: Addresses) -> None:
    trace_id = uuid.uuid4().hex
    records = [{"timeUnixNano": time_, "traceId": trace_id} for time_ in ("18446744073709551615", "9223372036854775808", "0", "1")]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    assert ask(server.otlp, "POST", "/v1/logs", body, {"Content-Type": "application/json"}).status == 200
    assert number(server, f"SELECT count() FROM otel_logs WHERE TraceId = '{trace_id}'") == 4
