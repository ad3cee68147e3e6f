from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse

from tests.support.embedded import ask, connected, number, read_everything
from tests.support.otlp import app_logs
from tokentrail.embedded.server import Addresses

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.mark.parametrize("signal", ["logs", "traces", "metrics"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff\xff", PROTOBUF),
        (app_logs(["x"])[:-3], PROTOBUF),
        (gzip.compress(app_logs(["x"]))[:-12], PROTOBUF | {"Content-Encoding": "gzip"}),
        (app_logs(["x"]), PROTOBUF | {"Content-Encoding": "gzip"}),
        (app_logs(["x"]), PROTOBUF | {"Content-Encoding": "rot13"}),
        (b"{", JSON),
        (b"[1]", JSON),
        (b"[" * 100_000, JSON),
        (b'{"resourceLogs": 1, "resourceSpans": 1, "resourceMetrics": 1}', JSON),
    ],
    ids=["noise", "cut", "cut-gzip", "no-gzip", "unknown-encoding", "cut-json", "list", "deep", "wrong-type"],
)
def test_what_cannot_be_parsed_is_400(server: Addresses, signal: str, body: bytes, headers: dict[str, str]) -> None:
    reply = ask(server.otlp, "POST", f"/v1/{signal}", body, headers)
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    message = Status.FromString(reply.body).message if headers["Content-Type"] == PROTOBUF["Content-Type"] else json.loads(reply.body)["message"]
    assert message


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        {"resourceLogs": ["abc"]},
        {"resourceLogs": "abc"},
        {"resourceLogs": {}, "resource_logs": [[]]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": ["x"]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [[]]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": "x"}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": ["x"]}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": ["x"]}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "k", "value": "v"}]}]}]}]},
        {"resourceLogs": [{"resource": "service"}]},
    ],
    ids=json.dumps,
)
def test_json_with_texts_or_lists_in_the_place_of_objects_is_400(server: Addresses, body: Any) -> None:
    assert ask(server.otlp, "POST", "/v1/logs", json.dumps(body).encode(), JSON).status == 400


def test_other_refusals(server: Addresses) -> None:
    assert ask(server.otlp, "POST", "/v1/logs", b"", {"Content-Type": "text/plain"}).status == 415
    assert ask(server.otlp, "POST", "/v1/profiles", b"", PROTOBUF).status == 404
    assert ask(server.otlp, "GET", "/v1/logs").status == 405
    assert ask(server.otlp, "POST", "/", "SELECT 1").status == 404
    assert ask(server.http, "POST", "/v1/logs", app_logs(["x"]), PROTOBUF).status == 404


def test_too_large_is_413_packed_or_not(server: Addresses) -> None:
    large = b"\0" * (65 << 20)
    assert ask(server.otlp, "POST", "/v1/logs", large, PROTOBUF).status == 413
    assert ask(server.otlp, "POST", "/v1/logs", gzip.compress(large), PROTOBUF | {"Content-Encoding": "gzip"}).status == 413


def test_a_grpc_client_is_told_what_is_spoken_here(server: Addresses) -> None:
    with connected(server.otlp) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        answer = read_everything(connection)
    settings, goaway = answer[:9], answer[9:]
    assert settings == bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    assert (int.from_bytes(goaway[:3], "big"), goaway[3]) == (len(goaway) - 9, 7)
    assert b"not gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in goaway


def test_metrics_without_a_kind_are_left_out_and_named(server: Addresses) -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="without a kind")
    scope.metrics.add(name="left.in").gauge.data_points.add(as_int=1)
    reply = ask(server.otlp, "POST", "/v1/metrics", request.SerializeToString(), PROTOBUF)
    assert reply.status == 200
    assert ExportMetricsServiceResponse.FromString(reply.body).partial_success.error_message.startswith("1 metrics have no data")
    assert number(server, "SELECT count() FROM otel_metrics_gauge WHERE MetricName = 'left.in'") == 1
