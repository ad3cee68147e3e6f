"""The tables that the Collector's ClickHouse exporter (0.161) fills with create_schema: false: every column that its INSERT names, and its trace lookup."""

from __future__ import annotations

import pytest

from tests.support.ledger_rows import START_NS, Land, moment, usage
from tokentrail.clickhouse.client import Client

LOGS = """Timestamp TraceId SpanId TraceFlags SeverityText SeverityNumber ServiceName Body ResourceSchemaUrl ResourceAttributes ScopeSchemaUrl ScopeName
    ScopeVersion ScopeAttributes LogAttributes EventName"""
SERIES = """ResourceAttributes ResourceSchemaUrl ScopeName ScopeVersion ScopeAttributes ScopeDroppedAttrCount ScopeSchemaUrl ServiceName MetricName
    MetricDescription MetricUnit Attributes StartTimeUnix TimeUnix"""
EXEMPLARS = "Exemplars.FilteredAttributes Exemplars.TimeUnix Exemplars.Value Exemplars.SpanId Exemplars.TraceId"

# the column lists of internal/sqltemplates/*_insert.sql in clickhouseexporter v0.161.0
INSERTED = {
    "usage_landing": LOGS,
    "otel_logs": LOGS,
    "otel_traces": """Timestamp TraceId SpanId ParentSpanId TraceState SpanName SpanKind ServiceName ResourceAttributes ScopeName ScopeVersion SpanAttributes
        Duration StatusCode StatusMessage Events.Timestamp Events.Name Events.Attributes Links.TraceId Links.SpanId Links.TraceState Links.Attributes""",
    "otel_metrics_gauge": f"{SERIES} Value Flags {EXEMPLARS}",
    "otel_metrics_sum": f"{SERIES} Value Flags {EXEMPLARS} AggregationTemporality IsMonotonic",
    "otel_metrics_histogram": f"{SERIES} Count Sum BucketCounts ExplicitBounds {EXEMPLARS} Flags Min Max AggregationTemporality",
    "otel_metrics_exponential_histogram": f"""{SERIES} Count Sum Scale ZeroCount PositiveOffset PositiveBucketCounts NegativeOffset NegativeBucketCounts
        {EXEMPLARS} Flags Min Max AggregationTemporality""",
    "otel_metrics_summary": f"{SERIES} Count Sum ValueAtQuantiles.Quantile ValueAtQuantiles.Value Flags",
}


@pytest.mark.parametrize("table", INSERTED)
def test_every_column_of_the_exporters_insert_is_there_and_the_rest_has_defaults(database: Client, table: str) -> None:
    columns = {row["name"]: row for row in database.query(f"DESCRIBE TABLE {table}").dicts()}
    named = INSERTED[table].split()
    assert [name for name in named if name not in columns] == []
    assert {name for name, column in columns.items() if name not in named and column["default_type"] != "DEFAULT"} == set()


def span(trace: str, ts: int) -> dict[str, object]:
    return {
        "Timestamp": moment(ts),
        "TraceId": trace,
        "SpanId": "b" * 16,
        "SpanName": "chat gpt-4o-mini",
        "ServiceName": "shop",
        "Duration": 5,
        "Events.Timestamp": [moment(ts)],
        "Events.Name": ["exception"],
        "Events.Attributes": [{}],
    }


def test_a_trace_is_found_by_the_helper_table_and_from_the_ledger(database: Client, land: Land) -> None:
    trace = "a" * 32
    database.insert_json("otel_traces", [span(trace, START_NS), span(trace, START_NS + 9 * 10**9), span("", START_NS)])
    land(usage() | {"TraceId": trace, "SpanId": "b" * 16})
    assert database.query("SELECT TraceId, dateDiff('second', min(Start), max(End)) FROM otel_traces_trace_id_ts GROUP BY TraceId").rows == [
        (trace, 9)
    ]
    joined = (
        "SELECT SpanName FROM usage INNER JOIN otel_traces ON otel_traces.TraceId = usage.trace_id AND otel_traces.SpanId = usage.span_id LIMIT 1"
    )
    assert database.query(joined).rows == [("chat gpt-4o-mini",)]


def test_spans_from_clocks_that_are_years_off_do_not_block_an_insert(database: Client) -> None:
    database.insert_json("otel_traces", [span(f"{number:032x}", START_NS - number * 86_400 * 10**9) for number in range(150)])
    assert database.query("SELECT count() FROM otel_traces").rows == [(150,)]


def test_times_of_metrics_keep_their_nanoseconds(database: Client) -> None:
    point = {"ServiceName": "shop", "MetricName": "m", "TimeUnix": moment(START_NS + 1), "Value": 1.5, "IsMonotonic": True}
    database.insert_json("otel_metrics_sum", [point])
    assert database.query("SELECT TimeUnix, IsMonotonic FROM otel_metrics_sum").rows == [("2026-11-18 11:06:40.000000001", True)]
