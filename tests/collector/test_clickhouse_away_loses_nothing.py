from __future__ import annotations

from tests.support.collector import World, own_metric
from tests.support.otlp import Writer, post
from tests.support.store import Store
from tests.support.waiting import wait_until

ALL = (
    "SELECT uniqExact(LogAttributes['tokentrail.seq']) FROM usage_landing"
    " WHERE LogAttributes['tokentrail.event'] = 'usage' AND LogAttributes['tokentrail.writer.id'] = '{}'"
)


def all_arrive(store: Store, writer: Writer) -> None:
    wait_until(lambda: store.number(ALL.format(writer.writer_id)) == writer.last_seq, f"{writer.last_seq} events in ClickHouse", deadline_s=90)


def send(url: str, writer: Writer, requests: int) -> None:
    for _ in range(requests):
        assert post(url, "logs", writer.request(200)) == 200


def test_collector_starts_and_takes_events_while_clickhouse_is_down(world: World) -> None:
    store = world.store(started=False)
    gateway = world.gateway(store)
    assert "schema detection failed" in gateway.log.read_text("utf-8", "replace")
    writer = Writer()
    send(gateway.otlp_http_url, writer, 5)
    store.start()
    all_arrive(store, writer)


def test_clickhouse_killed_during_load(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    writer = Writer()
    send(gateway.otlp_http_url, writer, 5)
    store.kill()
    send(gateway.otlp_http_url, writer, 15)
    wait_until(lambda: own_metric(gateway, "otelcol_exporter_queue_size", "clickhouse/ledger") >= 15 * 200, "a queue that grows")
    store.start()
    send(gateway.otlp_http_url, writer, 5)
    all_arrive(store, writer)
    wait_until(lambda: own_metric(gateway, "otelcol_exporter_queue_size", "clickhouse/ledger") == 0, "an empty queue")


def test_collector_stopped_in_order_while_clickhouse_is_down(world: World) -> None:
    store = world.store(started=False)
    gateway = world.gateway(store)
    writer = Writer()
    send(gateway.otlp_http_url, writer, 5)
    gateway.terminate()
    assert not gateway.running
    store.start()
    gateway.start()
    all_arrive(store, writer)
