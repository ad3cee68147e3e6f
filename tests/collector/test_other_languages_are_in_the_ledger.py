"""Spans and events of services in other languages go through agent and gateway, and are in the ledger once the bridge is on."""

from __future__ import annotations

import secrets
import time
from contextlib import closing

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.collector import World
from tests.support.otlp import attributes, post
from tests.support.waiting import wait_until
from tokentrail import semconv
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target

STATED = {semconv.GEN_AI_OPERATION: "chat", "gen_ai.system": "openai", semconv.REQUEST_MODEL: "gpt-4o"}


def spans(trace_id: bytes) -> bytes:
    """A framework's span around two calls, in two generations of names, and a span that is none of them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes({semconv.SERVICE_NAME: "shop-js"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "@opentelemetry/instrumentation-openai"
    now = time.time_ns()
    stated = (
        (1, 0, STATED | {semconv.INPUT_TOKENS: 30, semconv.OUTPUT_TOKENS: 3}),
        (2, 1, STATED | {semconv.INPUT_TOKENS: 10, semconv.OUTPUT_TOKENS: 1}),
        (3, 1, STATED | {"gen_ai.usage.prompt_tokens": 20, "gen_ai.usage.completion_tokens": 2}),
        (4, 1, {"http.request.method": "POST"}),
    )
    for number, parent, given in stated:
        ids = {"span_id": number.to_bytes(8, "big"), "parent_span_id": parent.to_bytes(8, "big") if parent else b""}
        times = {"start_time_unix_nano": now, "end_time_unix_nano": now + 5_000_000}
        scope.spans.add(trace_id=trace_id, name="chat", kind=3, attributes=attributes(given), **ids, **times)
    return request.SerializeToString()


def event(trace_id: bytes) -> bytes:
    """The event of the second call again, and of a call without a span."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes({semconv.SERVICE_NAME: "shop-js"}))
    scope = resource.scope_logs.add()
    for number, given in ((2, 10), (9, 5)):
        scope.log_records.add(
            trace_id=trace_id,
            span_id=number.to_bytes(8, "big"),
            time_unix_nano=time.time_ns(),
            event_name="gen_ai.client.inference.operation.details",
            attributes=attributes(STATED | {semconv.INPUT_TOKENS: given, semconv.OUTPUT_TOKENS: 1}),
        )
    return request.SerializeToString()


def test_through_agent_and_gateway(world: World) -> None:
    store = world.store()
    with closing(connect(f"{store.url}/tokentrail")) as client:
        migrate(client, Target("tokentrail"), bridge=True)
    agent = world.agent(world.gateway(store))
    trace_id = secrets.token_bytes(16)
    for _ in range(2):
        assert post(agent.otlp_http_url, "logs", event(trace_id)) == 200
        assert post(agent.otlp_http_url, "traces", spans(trace_id)) == 200
    counted = f"SELECT span_id, input_tokens, provider, origin FROM usage WHERE trace_id = '{trace_id.hex()}' ORDER BY span_id"
    expected = [[f"{number:016x}", str(given), "openai", "bridged"] for number, given in ((2, 10), (3, 20), (9, 5))]
    wait_until(lambda: store.query(counted) == expected, "three calls, each once")
    wait_until(lambda: store.query("SELECT count() FROM otel_traces") == [["8"]], "all spans")
    assert store.query(counted) == expected
