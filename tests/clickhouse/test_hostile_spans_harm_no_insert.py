"""With the bridge on, no span and no event fails the INSERT of the application's telemetry: what is malformed is in quarantine, or is not stated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.foreign_spans import TRACE, event, span, tokens
from tests.support.ledger_rows import START_NS, Row
from tokentrail import semconv
from tokentrail.bridge import names
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target

TABLES = ("usage_landing", "otel_traces", "otel_logs", "usage_ledger", "bridge_spans", "quarantine")
NUMBERS = (
    "x",
    "",
    "-1",
    "1.5",
    "1e3",
    " 5",
    "0x10",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
    "NaN",
    "null",
    "[1]",
    '{"a":1}',
    "\0",
    "1" * 70_000,
)
WORDS = ("", "\0", "'", '"', "\\", "\n", "{}", "[", "💥", "é" * 40_000, "\u2028", "%s", "{{x}}", "'; DROP TABLE usage; --", "span:")


@pytest.fixture(scope="module")
def client(engine_dsn: str) -> Iterator[Client]:
    client = connect(f"{engine_dsn}?database=hostile", create=True)
    migrate(client, Target("hostile"), bridge=True)
    yield client
    client.command("DROP DATABASE hostile SYNC")
    client.close()


def empty(client: Client) -> None:
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")


def counts(client: Client) -> list[int]:
    """Rows of the two tables of telemetry, of the landing table, of quarantine, and of the view."""
    asked = "SELECT " + ", ".join(
        f"(SELECT count() FROM {table})" for table in ("otel_traces", "otel_logs", "usage_landing", "quarantine FINAL", "usage")
    )
    return list(client.query(asked).rows[0])


@pytest.mark.parametrize("count", names.COUNTS)
def test_malformed_counts_are_in_quarantine_and_their_neighbours_count(client: Client, count: str) -> None:
    empty(client)
    bad = [span(number, tokens() | {names.COUNTS[count][-1]: value, names.COUNTS[count][0]: value}) for number, value in enumerate(NUMBERS, 10)]
    client.insert_json("otel_traces", [span(1, tokens(1, 1)), *bad, span(2, tokens(1, 1))])
    good = {span_id for (span_id,) in client.query("SELECT span_id FROM usage").rows}
    understood = [value for number, value in enumerate(NUMBERS, 10) if f"{number:016x}" in good]
    assert {f"{1:016x}", f"{2:016x}"} <= good
    assert understood == [""], "a count that is no number was taken"  # an empty text is not stated
    spans, _, landed, quarantined, _ = counts(client)
    assert (spans, landed, quarantined) == (len(NUMBERS) + 2, len(NUMBERS) + 2, len(NUMBERS) - 1)
    reasons = {reason for (reason,) in client.query("SELECT DISTINCT reason FROM quarantine").rows}
    assert all(reason.startswith(f"bad count: {count}") for reason in reasons), reasons


def test_malformed_words_are_kept_as_they_are_or_not_stated(client: Client) -> None:
    empty(client)
    rows = [
        span(number, tokens() | {name: word}, trace=f"{place:032x}")
        for place, name in enumerate(sorted({name for stated in names.FIELDS.values() for name in stated} | set(names.KIND_NAMES)), 1)
        for number, word in enumerate(WORDS, 1)
    ]
    client.insert_json("otel_traces", rows)
    spans, _, landed, quarantined, counted = counts(client)
    assert (spans, quarantined) == (len(rows), 0)
    assert landed == counted
    kinds = len(names.KIND_NAMES) * (len(WORDS) - 1)  # kinds of spans that are no call
    assert counted >= len(rows) - kinds - len(WORDS)


ODD: dict[str, Row] = {
    "no trace": span(1, tokens(), trace=""),
    "a trace that is no hex": span(1, tokens(), trace="zz' OR 1=1"),
    "no span": span(1, tokens()) | {"SpanId": ""},
    "a long span": span(1, tokens()) | {"SpanId": "ab" * 5000},
    "1970": span(1, tokens(), ts=0),
    "2200": span(1, tokens(), ts=7_258_118_400 * 10**9),
    "negative duration": span(1, tokens()) | {"Duration": 2**64 - 1},
    "its own parent": span(1, tokens(), parent=1),
    "an unknown kind": span(1, tokens(), kind="\0"),
    "no service": span(1, tokens()) | {"ServiceName": "", "ResourceAttributes": {}},
    "a long scope": span(1, tokens(), scope="s" * 100_000),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_spans_pass(client: Client, odd: str) -> None:
    empty(client)
    client.insert_json("otel_traces", [span(7, tokens(), trace="cd" * 16), ODD[odd]])
    spans, _, landed, quarantined, counted = counts(client)
    assert (spans, landed, quarantined + counted) == (2, 2, 2) if odd != "its own parent" else (2, 2, 1)


def test_odd_events_pass(client: Client) -> None:
    empty(client)
    rows = [event(1, tokens(value)) for value in NUMBERS] + [
        event(2, tokens() | {semconv.EVENT: "usage"}),
        event(3, {}),
        event(4, tokens(), trace="x"),
    ]
    client.insert_json("otel_logs", rows)
    _, logs, landed, _, counted = counts(client)
    assert (logs, landed) == (len(rows), len(NUMBERS) + 1)
    assert counted == 2  # the empty number, of which the answer's tokens are stated, and the event without a trace


def test_bytes_that_are_no_utf8_pass(client: Client) -> None:
    empty(client)
    for name in (semconv.RESPONSE_MODEL, semconv.INPUT_TOKENS):
        attributes = f"map('{semconv.OUTPUT_TOKENS}', '4', '{name}', unhex('fffe80'))"
        client.command(
            f"INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ScopeName, SpanAttributes) "
            f"SELECT now64(9), '{TRACE}', '{1:016x}', unhex('ff'), {attributes}"
        )
    spans, _, landed, quarantined, counted = counts(client)
    assert (spans, landed, quarantined + counted) == (2, 2, 2)


ATTRIBUTE = st.sampled_from(sorted({name for stated in [*names.FIELDS.values(), *names.COUNTS.values()] for name in stated} | set(names.KIND_NAMES)))
VALUE = st.one_of(
    st.sampled_from(NUMBERS[:-1] + WORDS[:9]), st.integers().map(str), st.text(max_size=20), st.sampled_from(["chat", "LLM", "5", "true"])
)
COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "TraceId": st.text(max_size=40),
        "SpanId": st.text(max_size=20),
        "ParentSpanId": st.text(max_size=20),
        "SpanKind": st.text(max_size=5),
        "ScopeName": st.text(max_size=20),
        "StatusCode": st.text(max_size=8),
        "Duration": st.integers(0, 2**64 - 1),
        "ServiceName": st.text(max_size=10),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.dictionaries(ATTRIBUTE, VALUE, max_size=8), COLUMNS), min_size=1, max_size=40))
def test_no_attribute_of_a_span_or_an_event_fails_the_insert(client: Client, rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    empty(client)
    client.insert_json("otel_traces", [span(number, attributes, ts=START_NS) | columns for number, (attributes, columns) in enumerate(rows, 1)])
    logs = ("TraceId", "SpanId", "ScopeName", "ServiceName")
    client.insert_json(
        "otel_logs",
        [
            event(number, attributes) | {name: columns[name] for name in logs if name in columns}
            for number, (attributes, columns) in enumerate(rows, 1)
        ],
    )
    spans, written, landed, quarantined, counted = counts(client)
    assert spans == written == len(rows)
    assert quarantined + counted <= landed <= 2 * len(rows)
