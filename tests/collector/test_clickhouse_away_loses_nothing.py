from __future__ import annotations

from tests.support.collector import World, own_metric
from tests.support.otlp import Sender, Writer, post
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


def test_clickhouse_killed_in_the_middle_of_inserts(world: World) -> None:
    """An insert that dies between the landing table and its views is repeated as the same block: the landing table may drop it, the ledger must not."""
    store = world.store()
    gateway = world.gateway(
        store, overrides=("exporters::clickhouse/ledger::sending_queue::batch: {flush_timeout: 50ms, min_size: 100, max_size: 1000}",)
    )
    sender = Sender(gateway.otlp_http_url, events=20, pause_s=0.05)
    sender.start()
    for _ in range(3):
        landed = store.number("SELECT count() FROM usage_landing")
        wait_until(lambda before=landed: store.number("SELECT count() FROM usage_landing") > before, "rows that land", every_s=0.0)
        store.kill()
        store.start()
    sender.stop()
    counted = f"SELECT count(), max(seq), sum(input_tokens) FROM usage WHERE writer_id = '{sender.writer.writer_id}'"
    last = sender.acknowledged
    expected = [str(last), str(last), str(last * (last + 1) // 2)]
    wait_until(lambda: store.query(counted)[0] == expected, f"{expected} in the ledger", deadline_s=90)


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
