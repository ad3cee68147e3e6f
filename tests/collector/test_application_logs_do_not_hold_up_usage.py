from __future__ import annotations

from tests.support.collector import World
from tests.support.otlp import Writer, app_logs, mixed_logs, post
from tests.support.waiting import wait_until

LINES = [f"an ordinary line {number} " + "x" * 300 for number in range(500)]
NOWHERE = "http://127.0.0.1:9"


def test_one_request_is_split_by_the_attribute(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    writer = Writer()
    assert post(gateway.otlp_http_url, "logs", mixed_logs(writer, ["one", "two"])) == 200
    wait_until(lambda: store.number("SELECT count() FROM otel_logs") == 2, "two application lines")
    wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 1, "one usage event")
    assert store.query("SELECT Body FROM otel_logs ORDER BY Body") == [["one"], ["two"]]
    assert store.query("SELECT LogAttributes['tokentrail.writer.id'] FROM usage_landing") == [[writer.writer_id]]


def fill_with_application_logs(url: str) -> None:
    """Send lines until the queue of application logs is full and they are refused."""
    wait_until(lambda: post(url, "logs", app_logs(LINES)) in (429, 503), "refused application logs", every_s=0.0)


def test_full_queue_of_application_logs_in_the_gateway(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store, overrides=(f"exporters::clickhouse/telemetry::endpoint: {NOWHERE}",), TELEMETRY_ITEMS="5000")
    fill_with_application_logs(gateway.otlp_http_url)
    writer = Writer()
    assert post(gateway.otlp_http_url, "logs", writer.request(300)) == 200
    wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 300, "300 usage events")


def test_full_queue_of_application_logs_in_the_agent(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    agent = world.agent(gateway, overrides=("exporters::otlp_grpc/telemetry::endpoint: 127.0.0.1:9",), TELEMETRY_BYTES="1000000")
    fill_with_application_logs(agent.otlp_http_url)
    writer = Writer()
    assert post(agent.otlp_http_url, "logs", writer.request(300)) == 200
    wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 300, "300 usage events")
