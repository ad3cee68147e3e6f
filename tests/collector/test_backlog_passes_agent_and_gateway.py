from __future__ import annotations

from tests.support.collector import World, own_metric
from tests.support.otlp import Writer, post
from tests.support.waiting import wait_until

EVENTS_PER_REQUEST = 500
BACKLOG_BYTES = 30_000_000
# what any other receiver of OTLP/gRPC takes; ours takes more, and the agent must not count on it
STOCK_LIMIT = "receivers::otlp::protocols::grpc::max_recv_msg_size_mib: 4"


def test_30_mb_of_backlog_arrive_without_one_missing(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store, overrides=(STOCK_LIMIT,))
    agent = world.agent(gateway)
    gateway.kill()

    writer = Writer()
    sent = 0
    while sent < BACKLOG_BYTES:
        request = writer.request(EVENTS_PER_REQUEST)
        assert post(agent.otlp_http_url, "logs", request) == 200
        sent += len(request)
    assert own_metric(agent, "otelcol_exporter_queue_size", "otlp_grpc/ledger") > 0

    gateway.start()
    seqs = f"SELECT uniqExact(LogAttributes['tokentrail.seq']) FROM usage_landing WHERE LogAttributes['tokentrail.writer.id'] = '{writer.writer_id}'"
    wait_until(lambda: store.number(seqs) == writer.last_seq, f"{writer.last_seq} events of {writer.writer_id} in ClickHouse", deadline_s=120)
    assert own_metric(agent, "otelcol_exporter_sent_log_records", "otlp_grpc/ledger") >= writer.last_seq
    assert own_metric(agent, "otelcol_exporter_send_failed_log_records", "otlp_grpc/ledger") == 0
