"""With the bridge on, calls that only other instrumentations' spans and events tell of are in the ledger, once, and never beside a record of tokentrail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations

import pytest
from click.testing import CliRunner

from tests.support.foreign_spans import NO_CALLS, SHAPES, TRACE, event, span, tokens
from tests.support.ledger_rows import START_NS, Row, usage, writer
from tokentrail import semconv
from tokentrail.cli.migrate import command
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.idempotency import span_key
from tokentrail.ledger.verify import verify

SPANS, EVENTS, RECORDS = "otel_traces", "otel_logs", "usage_landing"


@pytest.fixture(scope="module")
def bridging(engine_dsn: str) -> Iterator[Client]:
    """A database with the bridge on, for all tests of this file: making one takes seconds."""
    client = connect(f"{engine_dsn}?database=bridged", create=True)
    migrate(client, Target("bridged"), bridge=True)
    yield client
    client.command("DROP DATABASE bridged SYNC")
    client.close()


@pytest.fixture
def bridged(bridging: Client) -> Client:
    """A database with the bridge on, and without rows."""
    empty(bridging)
    return bridging


def empty(client: Client) -> None:
    for table in (RECORDS, SPANS, EVENTS, "usage_ledger", "bridge_spans", "quarantine", "deliveries", "key_conflicts"):
        client.command(f"TRUNCATE TABLE {table}")


def total(client: Client) -> tuple[int, int, int]:
    """Calls, input and output tokens of the whole view."""
    ((calls, given, answered),) = client.query("SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage").rows
    return calls, given or 0, answered or 0


def recorded(number: int = 99, *, response_id: str = "", trace: str = TRACE, seq: int = 1) -> Row:
    """A record of tokentrail, of a call in a span."""
    row = usage(seq=seq, more={"response_id": response_id})
    return row | {"TraceId": trace, "SpanId": f"{number:016x}"}


def own_span(number: int, parent: int) -> Row:
    return span(number, tokens(), parent=parent, scope="tokentrail")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_span_is_read(bridged: Client, shape: str) -> None:
    row, expected = SHAPES[shape]
    bridged.insert_json(SPANS, [row])
    (found,) = bridged.query("SELECT * FROM usage").dicts()
    assert {name: found[name] for name in expected} == expected
    constant = {"origin": "bridged", "calls": 1, "writer_id": "", "seq": 0, "service_name": "shop-js", "service_version": "3", "environment": "test"}
    assert {name: found[name] for name in constant} == constant
    assert found["idempotency_key"] == span_key(row["TraceId"], row["SpanId"]).text
    assert (found["trace_id"], found["span_id"]) == (row["TraceId"], row["SpanId"])


@pytest.mark.parametrize("shape", NO_CALLS)
def test_what_is_no_call_is_not_counted(bridged: Client, shape: str) -> None:
    bridged.insert_json(SPANS, [NO_CALLS[shape]])
    assert total(bridged) == (0, 0, 0)
    assert bridged.query("SELECT count() FROM usage_landing").rows == [(0,)]


def test_off_until_it_is_set_and_off_again(database: Client) -> None:
    database.insert_json(SPANS, [span(1, tokens())])
    database.insert_json(EVENTS, [event(2, tokens())])
    assert total(database) == (0, 0, 0)
    target = Target(database.database)
    put = [step.name for step in migrate(database, target, bridge=True)]
    assert sorted(put) == ["events_to_landing", "spans_to_landing", "spans_to_tree"]
    assert migrate(database, target) == migrate(database, target, bridge=True) == []
    database.insert_json(SPANS, [span(3, tokens())])
    assert total(database) == (1, 10, 4)
    assert sorted(step.name for step in migrate(database, target, bridge=False)) == sorted(put)
    assert migrate(database, target) == []
    database.insert_json(SPANS, [span(4, tokens())])
    assert total(database) == (1, 10, 4)
    assert len(migrate(database, target, bridge=True)) == len(put)
    database.insert_json(SPANS, [span(5, tokens())])
    assert total(database) == (2, 20, 8)


def test_the_command_turns_it_on_and_off(database: Client, dsn: str) -> None:
    def run(*arguments: str) -> list[tuple[str, str]]:
        ran = CliRunner().invoke(command, ["--dsn", dsn, "--json", *arguments])
        assert ran.exit_code == 0, ran.output
        return sorted((step["kind"], step["name"]) for step in json.loads(ran.stdout)["applied"])

    views = ["events_to_landing", "spans_to_landing", "spans_to_tree"]
    assert run("--bridge", "on", "--dry-run") == run("--bridge", "on") == [("definition", name) for name in views]
    assert run() == run("--bridge", "on") == []
    assert run("--bridge", "off", "--dry-run") == run("--bridge", "off") == [("removed", name) for name in views]
    assert run() == run("--bridge", "off") == []
    assert CliRunner().invoke(command, ["--dsn", dsn, "--bridge", "perhaps"]).exit_code == 2


def test_a_view_of_the_bridge_that_was_dropped_or_changed_is_put_back(bridged: Client) -> None:
    bridged.command("DROP VIEW spans_to_landing SYNC")
    bridged.command("ALTER TABLE events_to_landing MODIFY QUERY SELECT Timestamp FROM otel_logs WHERE 0")
    assert sorted(step.name for step in migrate(bridged, Target(bridged.database))) == ["events_to_landing", "spans_to_landing"]
    bridged.insert_json(SPANS, [span(1, tokens())])
    bridged.insert_json(EVENTS, [event(2, tokens())])
    assert total(bridged) == (2, 20, 8)


def test_a_span_that_is_sent_again_and_its_event_are_one_call(bridged: Client) -> None:
    for _ in range(2):
        bridged.insert_json(SPANS, [span(1, tokens())])
        bridged.insert_json(EVENTS, [event(1, tokens())])
    bridged.insert_json(EVENTS, [event(2, tokens(1, 1), name="gen_ai.client.inference.operation.details")])
    assert total(bridged) == (2, 11, 5)
    assert bridged.query("SELECT duration_ms FROM usage ORDER BY input_tokens").rows == [(None,), (5.0,)]


def test_an_event_without_a_span_counts_once(bridged: Client) -> None:
    first, second = event(0, tokens(), trace=""), event(0, tokens(), trace="", ts=START_NS + 10)
    for row in (first, second, first):
        bridged.insert_json(EVENTS, [row])
    assert total(bridged) == (2, 20, 8)


TOLD: dict[str, list[tuple[str, Row]]] = {
    "the same span": [(RECORDS, recorded(1)), (SPANS, span(1, tokens(7, 7)))],
    "the same span, told by an event": [(RECORDS, recorded(1)), (EVENTS, event(1, tokens(7, 7)))],
    "the same response id": [(RECORDS, recorded(2, response_id="r")), (SPANS, span(1, tokens(7, 7, gen_ai__response__id="r")))],
    "a span of tokentrail inside": [(RECORDS, recorded(2)), (SPANS, own_span(2, 1)), (SPANS, span(1, tokens(7, 7)))],
    "a span of tokentrail three spans inside": [
        (RECORDS, recorded(5)),
        (SPANS, own_span(5, 4)),
        (SPANS, span(4, {"traceloop.span.kind": "task"}, parent=3)),
        (SPANS, span(3, {"traceloop.span.kind": "workflow"}, parent=1)),
        (SPANS, span(1, tokens(7, 7))),
    ],
}


def by(place: int, row: Row) -> Row:
    """The attributes of a record of another writer for each order, so that each is a call of its own; a span and an event stay as they are."""
    given = row.get("LogAttributes", {})
    return {"LogAttributes": given | {semconv.WRITER_ID: writer(str(place))}} if semconv.WRITER_ID in given else {}


@pytest.mark.parametrize("told", TOLD)
def test_what_a_record_tells_of_is_not_counted_again_in_any_order(bridged: Client, told: str) -> None:
    orders = list(permutations(TOLD[told]))
    for step in range(len(orders[0])):
        rows: dict[str, list[Row]] = {}
        for place, order in enumerate(orders):
            table, row = order[step]
            rows.setdefault(table, []).append(row | {"TraceId": f"{place:032x}"} | by(place, row))
        for table, given in rows.items():
            bridged.insert_json(table, given)
    counted = bridged.query("SELECT trace_id, origin, input_tokens, output_tokens FROM usage ORDER BY ALL").rows
    assert counted == [(f"{place:032x}", "recorded", 10, 5) for place in range(len(orders))]


def test_a_claimed_key_of_tokentrail_tells_of_its_span_too(bridged: Client) -> None:
    bridged.insert_json(SPANS, [span(1, tokens(7, 7))])
    bridged.insert_json(RECORDS, [usage(key="order:1", kind="opaque") | {"TraceId": TRACE, "SpanId": f"{1:016x}"}])
    assert total(bridged) == (1, 10, 5)


def test_the_processes_own_bridge_says_more_than_the_span_that_arrives_here(bridged: Client) -> None:
    """Both have the span's key. The process knows the block, and so the tenant; its record counts though the span is earlier, in either order."""
    other = "cd" * 16
    told = [usage(key=span_key(trace, f"{1:016x}").text, kind="opaque", more={"origin": "bridged"}) | {"TraceId": trace} for trace in (TRACE, other)]
    bridged.insert_json(RECORDS, told[:1])
    bridged.insert_json(SPANS, [span(1, tokens(7, 7), trace=trace) for trace in (TRACE, other)])
    bridged.insert_json(RECORDS, told[1:])
    assert bridged.query("SELECT tenant_id, input_tokens FROM usage").rows == [("acme", 10)] * 2


def test_another_trace_or_another_id_is_another_call(bridged: Client) -> None:
    other = "cd" * 16
    bridged.insert_json(RECORDS, [recorded(1, response_id="r")])
    bridged.insert_json(SPANS, [span(1, tokens(gen_ai__response__id="r"), trace=other), span(2, tokens(gen_ai__response__id="s")), span(3, tokens())])
    assert total(bridged) == (4, 40, 5 + 3 * 4)


def test_a_frameworks_span_around_bridged_calls_is_not_counted(bridged: Client) -> None:
    rows = [
        span(1, tokens(30, 30)),  # the outer span states the sum
        span(2, {"openinference.span.kind": "CHAIN"}, parent=1),
        span(3, tokens(10, 10), parent=2),
        span(4, tokens(20, 20), parent=2),
        span(5, tokens(1, 1)),
    ]
    for row in rows:
        bridged.insert_json(SPANS, [row])
    assert total(bridged) == (3, 31, 31)


def test_the_models_own_server_inside_a_call_takes_nothing_from_it(bridged: Client) -> None:
    """A server of a model states the tokens that it has answered with, below the span of the client whose call it is."""
    bridged.insert_json(SPANS, [span(2, tokens(), parent=1, kind="Server"), span(3, tokens(), parent=1, kind="Consumer"), span(1, tokens())])
    assert total(bridged) == (1, 10, 4)
    assert bridged.query("SELECT span_id FROM usage").rows == [(f"{1:016x}",)]


def test_one_answer_that_two_spans_state_counts_once_as_the_inner_one(bridged: Client) -> None:
    same = tokens(10, 4, gen_ai__response__id="r")
    bridged.insert_json(SPANS, [span(2, same, ts=START_NS + 5), span(1, same, ts=START_NS)])
    assert total(bridged) == (1, 10, 4)
    assert bridged.query("SELECT span_id FROM usage").rows == [(f"{2:016x}",)]
    bridged.insert_json(SPANS, [span(3, tokens(11, 4, gen_ai__response__id="r"))])  # a provider that repeats its ids
    assert total(bridged) == (2, 21, 8)


def test_tenant_and_operation_come_from_attributes(bridged: Client) -> None:
    attributes = {"tokentrail.tenant_id": "acme", "tokentrail.operation": "summarize", "tokentrail.operation.id": "job-1"}
    bridged.insert_json(SPANS, [span(1, tokens() | attributes)])
    bridged.insert_json(SPANS, [span(2, tokens(), ResourceAttributes={"tokentrail.tenant_id": "umbrella"})])
    found = bridged.query("SELECT tenant_id, operation, operation_id FROM usage ORDER BY tenant_id").rows
    assert found == [("acme", "summarize", "job-1"), ("umbrella", "unknown", "")]


def test_verify_asks_nothing_of_bridged_rows(bridged: Client) -> None:
    bridged.insert_json(SPANS, [span(1, tokens())])
    bridged.insert_json(EVENTS, [event(1, tokens(11, 4))])
    assert verify(bridged).writers == []
    assert bridged.query("SELECT count() FROM key_conflicts").rows == [(0,)]
