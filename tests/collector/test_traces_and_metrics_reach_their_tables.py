from __future__ import annotations

import secrets

from tests.support.collector import World
from tests.support.otlp import metrics, post, spans
from tests.support.waiting import wait_until
from tokentrail import semconv


def test_through_agent_and_gateway_into_our_own_schema(world: World) -> None:
    store = world.store()
    agent = world.agent(world.gateway(store))
    trace_id = secrets.token_bytes(16)
    assert post(agent.otlp_http_url, "traces", spans(trace_id, ["chat llama", "chat qwen"])) == 200
    assert post(agent.otlp_http_url, "metrics", metrics()) == 200

    columns = f"SpanName, SpanKind, Duration, SpanAttributes['{semconv.INPUT_TOKENS}']"
    found = f"SELECT {columns} FROM otel_traces WHERE TraceId = '{trace_id.hex()}' ORDER BY SpanName"
    wait_until(lambda: store.query(found) == [["chat llama", "Client", "5000000", "12"], ["chat qwen", "Client", "5000000", "12"]], "two spans")
    expected = {
        "otel_metrics_sum": (semconv.METRIC_INPUT_TOKENS, "Value", "4711"),
        "otel_metrics_gauge": (semconv.METRIC_JOURNAL_BYTES, "Value", "99"),
        "otel_metrics_histogram": (semconv.METRIC_DURATION, "Count", "3"),
        "otel_metrics_exponential_histogram": (semconv.METRIC_LEGACY_DURATION, "Count", "2"),
    }
    for table, (name, column, value) in expected.items():
        sql = f"SELECT MetricName, {column} FROM {table} WHERE ServiceName = 'collector-tests'"
        wait_until(lambda sql=sql, name=name, value=value: store.query(sql) == [[name, value]], f"{name} in {table}")
