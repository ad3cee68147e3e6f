"""The ledger's own port: one pipeline without filters, from the agent to ClickHouse, beside the ordinary port."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.collector import World, own_metric
from tests.support.otlp import Writer, app_logs, metrics, mixed_logs, post, spans
from tests.support.waiting import wait_until


def test_usage_of_both_ports_is_counted_and_application_logs_keep_their_port(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    agent = world.agent(gateway, LEDGER_GATEWAY=gateway.ledger_grpc)
    writer = Writer()
    assert post(agent.ledger_http_url, "logs", writer.request(300)) == 200
    assert post(agent.otlp_http_url, "logs", mixed_logs(writer, ["a line"])) == 200
    assert post(gateway.ledger_http_url, "logs", writer.request(200)) == 200
    assert post(gateway.otlp_http_url, "logs", writer.request(100)) == 200
    wait_until(lambda: store.number("SELECT count() FROM usage") == 601, "601 usage events")
    assert store.number("SELECT sum(input_tokens) FROM usage") == sum(range(1, 602))
    wait_until(lambda: store.query("SELECT Body FROM otel_logs") == [["a line"]], "the application's line")
    assert own_metric(agent, "otelcol_exporter_sent_log_records", "otlp_grpc/ledger") == 301


def test_what_is_no_usage_is_refused_or_kept_in_quarantine(world: World) -> None:
    """A service that sends everything to the ledger's port: nothing that it sends is answered with "taken" and gone."""
    store = world.store()
    gateway = world.gateway(store)
    assert post(gateway.ledger_http_url, "traces", spans(bytes(15) + b"1", ["chat"])) == 404
    assert post(gateway.ledger_http_url, "metrics", metrics()) == 404
    assert post(gateway.ledger_http_url, "logs", app_logs(["one", "two"])) == 200
    wait_until(lambda: store.number("SELECT count() FROM quarantine") == 2, "both lines in quarantine")
    assert store.query("SELECT Body, reason LIKE 'unknown event%' FROM quarantine ORDER BY Body") == [["one", "1"], ["two", "1"]]
    assert store.number("SELECT count() FROM usage") == 0


@pytest.mark.parametrize("place", [0, 25, 50])
@pytest.mark.parametrize("size", [3_100_000, 5_000_000])
def test_a_foreign_record_larger_than_a_batch_takes_no_usage_with_it(world: World, place: int, size: int) -> None:
    """The agent's exporter drops such a record, and all behind it in its request; the answer is 200, and no metric shows it."""
    store = world.store()
    gateway = world.gateway(store)
    agent = world.agent(gateway)
    writer = Writer()
    request = ExportLogsServiceRequest.FromString(writer.request(50))
    (foreign,) = ExportLogsServiceRequest.FromString(app_logs(["x" * size])).resource_logs[0].scope_logs[0].log_records
    records = request.resource_logs[0].scope_logs[0].log_records
    whole = [*records[:place], foreign, *records[place:]]
    del records[:]
    records.extend(whole)
    for url in (agent.ledger_http_url, agent.otlp_http_url):
        assert post(url, "logs", request.SerializeToString()) == 200
    wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 100, "the usage of both requests")
    wait_until(lambda: store.number("SELECT count() FROM usage") == 50, "each usage, once")
