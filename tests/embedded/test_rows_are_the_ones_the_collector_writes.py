"""The same requests through the official Collector and straight into our receiver: the rows must not differ, in whatever encoding they come."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tests.support.collector import start_gateway
from tests.support.embedded import ask, number, rows
from tests.support.otlp import post
from tests.support.waiting import wait_until
from tokentrail import semconv
from tokentrail.embedded.otlp_logs import log_rows
from tokentrail.embedded.server import Addresses

NOW = 1_763_856_000_123_456_789
DOUBLES = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    1e20,
    1e21,
    1.5e300,
    1e-6,
    9.99e-7,
    1e-7,
    1.25e-10,
    5e-324,
    123456789012345680.0,
    float("inf"),
    float("nan"),
    3.0e-5,
]


def value(given: Any) -> AnyValue:
    if given is None:
        return AnyValue()
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in given]))
    if isinstance(given, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(given)))
    return AnyValue(string_value=given)


def pairs(given: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=value(item)) for name, item in given.items()]


EVERY_KIND = {
    "text": "it's <b>&\"\\ \n\t\x01\x7f \u2028 日本 🙂",
    "empty": "",
    "unset": None,
    "int": -(2**63),
    "true": True,
    "false": False,
    "bytes": bytes(range(256)),
    "list": ["a", 1, 2.0, True, None, b"\x00\xff", ["nested", {"b": 1, "a": [1e-7, 1e21]}]],
    "map": {"z": 1, "a": {"text": 'x\u2028\x08\x0c\r"<>&\\/\x7f', "": None, "Ä": -0.0, "é": "e\u0301"}},
    "empty list": [],
    "empty map": {},
    "not a number in a list": [1, float("nan")],
    **{f"double {number!r}": number for number in DOUBLES},
    "doubles": [number for number in DOUBLES if number - number == 0],
}


def logs_request() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="https://example.test/resource")
    resource.resource.attributes.extend(pairs({semconv.SERVICE_NAME: "same", "kind": 7} | EVERY_KIND))
    scope = resource.scope_logs.add(schema_url="https://example.test/scope")
    scope.scope.name, scope.scope.version = "scope", "1.2"
    scope.scope.attributes.extend(pairs({"s": [1]}))
    for body in ("text", {"a": [1, "b"]}, 2.50, None, b"\x01"):
        scope.log_records.add(
            time_unix_nano=NOW,
            observed_time_unix_nano=NOW + 1,
            body=value(body),
            attributes=pairs(EVERY_KIND | {"record": "log"}),
            severity_number=17,
            severity_text="ERROR",
            trace_id=bytes(range(16)),
            span_id=bytes(range(8)),
            flags=0x03F1,
            event_name="an.event",
        )
    scope.log_records.add(observed_time_unix_nano=NOW, trace_id=bytes(16), body=value("no time"))
    scope.log_records.add(
        time_unix_nano=NOW, attributes=pairs({semconv.EVENT: "usage", "record": "event"} | EVERY_KIND), event_name="tokentrail.usage"
    )
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5, body=value("no resource"))
    return request


def traces_request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(pairs({semconv.SERVICE_NAME: "same"}))
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "scope", "1.2"
    for kind in range(7):
        span = scope.spans.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8), name=f"span {kind}", kind=kind)
        span.start_time_unix_nano, span.end_time_unix_nano = NOW + kind, NOW + 10 * kind
        span.parent_span_id = bytes(8) if kind % 2 else secrets.token_bytes(8)
        span.trace_state = "a=b"
        span.status.code, span.status.message = kind % 4, "message"
        span.attributes.extend(pairs(EVERY_KIND))
        for number_of_event in range(kind):
            span.events.add(time_unix_nano=NOW + number_of_event, name=f"event {number_of_event}", attributes=pairs({"n": number_of_event}))
            span.links.add(trace_id=secrets.token_bytes(16), span_id=bytes(8), trace_state="c=d", attributes=pairs({"l": 1.5}))
    return request


def metrics_request() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add(schema_url="https://example.test/resource")
    resource.resource.attributes.extend(pairs({semconv.SERVICE_NAME: "same"}))
    scope = resource.scope_metrics.add(schema_url="https://example.test/scope")
    scope.scope.name, scope.scope.version, scope.scope.dropped_attributes_count = "scope", "1.2", 3
    scope.scope.attributes.extend(pairs({"s": True}))
    point: dict[str, Any] = {"start_time_unix_nano": NOW - 10**9, "time_unix_nano": NOW, "attributes": pairs({"a": 1, "b": "x"}), "flags": 1}
    exemplars = [
        {"time_unix_nano": NOW, "as_int": 4, "span_id": bytes(range(8)), "trace_id": bytes(range(16)), "filtered_attributes": pairs({"f": 1})}
    ]
    exemplars.append({"time_unix_nano": NOW, "as_double": 0.5})
    gauge = scope.metrics.add(name="g", description="d", unit="1").gauge
    for shown in (1.5, -2.0, float("nan"), float("inf"), 1e300):
        gauge.data_points.add(as_double=shown, exemplars=exemplars, **point)
    gauge.data_points.add(**point)
    total = scope.metrics.add(name="s", unit="{token}").sum
    total.aggregation_temporality, total.is_monotonic = 2, True
    total.data_points.add(as_int=2**53 + 1, exemplars=exemplars, **point)
    histogram = scope.metrics.add(name="h", unit="s").histogram
    histogram.aggregation_temporality = 1
    histogram.data_points.add(count=3, sum=1.5, min=0.1, max=1, bucket_counts=[1, 2, 0], explicit_bounds=[0.1, 1], exemplars=exemplars, **point)
    histogram.data_points.add(count=0, **point)
    exponential = scope.metrics.add(name="e").exponential_histogram
    exponential.aggregation_temporality = 2
    exponential.data_points.add(count=9, sum=0.5, scale=-3, zero_count=2, min=-1, max=3, exemplars=exemplars, **point)
    exponential.data_points[0].positive.offset, exponential.data_points[0].negative.offset = 5, -5
    exponential.data_points[0].positive.bucket_counts.extend([1, 2])
    exponential.data_points[0].negative.bucket_counts.extend([3, 1])
    summary = scope.metrics.add(name="q").summary.data_points.add(count=5, sum=7.5, **point)
    summary.quantile_values.add(quantile=0.5, value=1)
    summary.quantile_values.add(quantile=0.99, value=2.5)
    return request


REQUESTS = {"logs": logs_request(), "traces": traces_request(), "metrics": metrics_request()}
METRICS = [f"otel_metrics_{kind}" for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")]
TABLES = {"logs": ["usage_landing", "otel_logs"], "traces": ["otel_traces"], "metrics": METRICS}


@pytest.mark.parametrize("signal", REQUESTS)
def test_same_rows(server: Addresses, collector_binary: Path, tmp_path: Path, signal: str) -> None:
    tables = TABLES[signal]
    for table in tables:
        rows(server, f"TRUNCATE TABLE {table}")
    body = REQUESTS[signal].SerializeToString()
    gateway = start_gateway(collector_binary, server.http, tmp_path)
    try:
        assert post(gateway.otlp_http_url, signal, body) == 200
        wait_until(lambda: all(number(server, f"SELECT count() FROM {table}") for table in tables), "the Collector's rows are there")
        by_collector = {table: stored(server, table) for table in tables}
    finally:
        gateway.terminate()
    for table in tables:
        rows(server, f"TRUNCATE TABLE {table}")
    assert post(server.otlp, signal, body) == 200
    for table in tables:
        assert stored(server, table) == by_collector[table]


@pytest.mark.parametrize("encoding", ["protobuf", "json", "gzip"])
def test_same_rows_of_logs_as_from_json_lines(server: Addresses, encoding: str) -> None:
    """The rows in the tables are those of JSON lines, which are the exporter's own way to write them."""
    request = REQUESTS["logs"]
    expected = {}
    for table, lines in log_rows(request).items():
        rows(server, f"TRUNCATE TABLE {table}")
        query = f"INSERT INTO {table} ({', '.join(lines[0])}) FORMAT JSONEachRow"
        assert ask(server.http, "POST", "/", msgspec.json.Encoder().encode_lines(lines), database="tokentrail", query=query).status == 200
        expected[table] = stored(server, table)
        rows(server, f"TRUNCATE TABLE {table}")
    body = request.SerializeToString()
    bodies = {
        "protobuf": (body, {"Content-Type": "application/x-protobuf"}),
        "gzip": (gzip.compress(body), {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}),
        "json": (otlp_json(request), {"Content-Type": "application/json"}),
    }
    assert ask(server.otlp, "POST", "/v1/logs", *bodies[encoding]).status == 200
    for table, rows_of_lines in expected.items():
        assert rows_of_lines
        assert stored(server, table) == rows_of_lines


def otlp_json(request: ExportLogsServiceRequest) -> bytes:
    """OTLP/JSON: as protobuf's own, with ids in hex."""
    written = json_format.MessageToDict(request)
    for resource in written["resourceLogs"]:
        for record in (record for scope in resource["scopeLogs"] for record in scope["logRecords"]):
            record |= {name: base64.b64decode(record[name]).hex() for name in ("traceId", "spanId") if name in record}
    return json.dumps(written).encode()


def stored(server: Addresses, table: str) -> list[dict[str, Any]]:
    sql = f"SELECT * EXCEPT arrived_at FROM {table} ORDER BY ALL SETTINGS output_format_json_quote_denormals = 1"
    return rows(server, sql)
