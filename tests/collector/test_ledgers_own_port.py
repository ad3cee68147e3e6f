"""The ledger's own port: one pipeline without filters, from the agent to ClickHouse, beside the ordinary port; a gateway answers once rows are stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.collector import World, own_metric
from tests.support.journal import AT_ONCE, append, writer
from tests.support.otlp import Writer, app_logs, metrics, mixed_logs, post, spans
from tests.support.waiting import wait_until
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.bulk import bulk_shipper
from tokentrail.journal.exporter import Exporter
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings

KEY_TIME = 1_790_000_000_000_000_001


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


def test_an_answer_means_that_clickhouse_has_stored_the_records(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    sender = Writer()
    for _ in range(3):
        assert post(gateway.ledger_http_url, "logs", sender.request(10)) == 200
        assert store.number("SELECT count() FROM usage_ledger") == sender.last_seq


def test_requests_that_arrive_together_are_one_insert(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(lambda _: post(gateway.ledger_http_url, "logs", Writer().request(10)), range(20))) == {200}
    assert store.number("SELECT count() FROM usage_ledger") == 200
    assert store.number("SELECT uniq(arrived_at) FROM usage_landing") <= 3


def test_while_clickhouse_is_away_the_sender_keeps_its_records(world: World, tmp_path: Path) -> None:
    """The gateway says at once that it cannot, keeps nothing, and may be killed: the journal has it all."""
    store = world.store()
    gateway = world.gateway(store)
    left = writer(tmp_path / "journal")
    append(left, 300, key_time=KEY_TIME)
    left.close()
    settings = Settings(endpoint=f"{gateway.ledger_http_url}/v1/logs", timeout=10.0)
    store.kill()
    waiting = Adopter(Shipper(tmp_path / "journal", Exporter(settings), policy=AT_ONCE)).adopt_dead(patient=False)
    assert not waiting.done
    assert "503" in waiting.reason
    gateway.kill()
    store.start()
    again = world.gateway(store)
    settings = Settings(endpoint=f"{again.ledger_http_url}/v1/logs", timeout=10.0)
    assert Adopter(Shipper(tmp_path / "journal", Exporter(settings), policy=AT_ONCE)).adopt_dead(patient=False).shipped == 300
    assert store.number("SELECT count() FROM usage") == 300
    assert store.number("SELECT count() FROM usage_landing") == 301


def test_a_backlog_goes_side_by_side(world: World, tmp_path: Path) -> None:
    """As `tokentrail journal ship` sends it: several requests under way, through the ledger's port and the ordinary one, each record once."""
    store = world.store()
    gateway = world.gateway(store)
    for number, url in enumerate((gateway.ledger_http_url, gateway.otlp_http_url), start=1):
        root = tmp_path / f"journal-{number}"
        left = writer(root)
        append(left, 25_000, key_time=KEY_TIME)
        left.close()
        with bulk_shipper(root, Settings(endpoint=f"{url}/v1/logs")) as ships:
            assert Adopter(ships).adopt_dead(patient=False).shipped == 25_000
        assert not [*root.glob("*/*.log")]
        wait_until(lambda: store.number("SELECT count() FROM usage") == number * 25_000, "all records")  # noqa: B023
        assert store.number("SELECT count() FROM usage_landing") == number * 25_001


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
