from __future__ import annotations

from tests.support.collector import World, own_metric
from tests.support.otlp import Sender
from tests.support.waiting import wait_until

KILLS = 3


def test_gateway_killed_under_load(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    sender = Sender(gateway.otlp_http_url)
    sender.start()
    for _ in range(KILLS):
        goal = sender.acknowledged + 1500
        wait_until(lambda goal=goal: sender.acknowledged >= goal, f"{goal} acknowledged events", every_s=0.005)
        gateway.kill()
        gateway.start()
    sender.stop()
    assert sender.unanswered > 0, "no kill hit a request"

    # all numbers from 1 to the last acknowledged one, each with the count that it was sent with
    last = sender.acknowledged
    expected = [str(last), str(last), str(last * (last + 1) // 2)]
    landed = (
        "SELECT uniqExact(seq), max(seq), sum(tokens) FROM (SELECT toUInt64(LogAttributes['tokentrail.seq']) AS seq,"
        " any(toUInt64(LogAttributes['gen_ai.usage.input_tokens'])) AS tokens FROM usage_landing"
        f" WHERE LogAttributes['tokentrail.writer.id'] = '{sender.writer.writer_id}' GROUP BY seq)"
    )
    wait_until(lambda: store.query(landed)[0] == expected, f"{expected} in the landing table", deadline_s=90)

    # Copies may have landed; what everybody reads has each event once. An insert is seen in the landing table before its views are done, hence the wait.
    counted = f"SELECT count(), max(seq), sum(input_tokens) FROM usage WHERE writer_id = '{sender.writer.writer_id}'"
    wait_until(lambda: store.query(counted)[0] == expected, f"{expected} in the ledger", deadline_s=30)
    wait_until(lambda: own_metric(gateway, "otelcol_exporter_queue_size", "clickhouse/ledger") == 0, "an empty queue")
    assert store.query(counted)[0] == expected
