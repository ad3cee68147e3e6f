"""`tokentrail import openllmetry`: spans of both generations of names, from OTLP's JSON, from rows of otel_traces, and from the table itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Ledger
from tests.support.foreign_spans import SHAPES, TRACE, span, tokens
from tests.support.ledger_rows import START_NS, Row
from tokentrail.clickhouse.client import connect

SERVER_SIDE = "a span of whoever answers: the caller's tells of the call"
CALLS = {name: (row, expected) for name, (row, expected) in SHAPES.items() if expected}


def otlp(row: Row) -> dict[str, Any]:
    """The same span as the Collector's file exporter writes it."""

    def pairs(given: dict[str, str]) -> list[dict[str, Any]]:
        return [{"key": name, "value": _value(name, text)} for name, text in given.items()]

    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs(row["ResourceAttributes"])},
                "scopeSpans": [
                    {
                        "scope": {"name": row["ScopeName"], "version": "1"},
                        "spans": [
                            {
                                "traceId": row["TraceId"],
                                "spanId": row["SpanId"],
                                "parentSpanId": row["ParentSpanId"],
                                "name": row["SpanName"],
                                "kind": {"Client": 3, "Server": 2, "Internal": 1, "Consumer": 5, "Producer": 4}.get(row["SpanKind"], 0),
                                "startTimeUnixNano": str(START_NS),
                                "endTimeUnixNano": str(START_NS + row["Duration"]),
                                "attributes": pairs(row["SpanAttributes"]),
                                "status": {"code": 2} if row["StatusCode"] == "Error" else {},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def _value(name: str, text: str) -> dict[str, Any]:
    if text.lstrip("-").isdigit() and ("token" in name or "port" in name):
        return {"intValue": text}
    return {"boolValue": text == "true"} if text in ("true", "false") else {"stringValue": text}


def written(folder: Path, form: str, rows: list[Row]) -> Path:
    path = folder / f"spans.{form}"
    if form == "otlp.jsonl":
        path.write_text("".join(f"{json.dumps(otlp(row))}\n" for row in rows))
    elif form == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _as_map(value) if isinstance(value, dict) else value for name, value in row.items()})
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _as_map(value: dict[str, str]) -> str:
    """A map as ClickHouse writes it in CSV."""
    escaped = {name: str(text).replace("\\", "\\\\").replace("'", "\\'") for name, text in value.items()}
    return "{" + ",".join(f"'{name}':'{text}'" for name, text in escaped.items()) + "}"


@pytest.mark.parametrize("form", ["otlp.jsonl", "jsonl", "csv"])
def test_every_shape_is_read_as_the_bridge_reads_it(ledger: Ledger, tmp_path: Path, form: str) -> None:
    rows = [
        row | {"SpanId": f"{number:016x}", "TraceId": f"{number:032x}", "ParentSpanId": ""} for number, (row, _) in enumerate(CALLS.values(), start=1)
    ]
    found = ledger.imported("openllmetry", str(written(tmp_path, form, rows)))
    assert (found["read"], found["new"]) == (len(rows), len(rows)), found
    assert ledger.imported("openllmetry", str(written(tmp_path, "jsonl", rows)))["already_there"] == len(rows)
    for number, (name, (_row, expected)) in enumerate(CALLS.items(), start=1):
        columns = list(expected)
        (said,) = ledger.rows(f"SELECT {', '.join(columns)} FROM usage WHERE span_id = '{number:016x}'")
        assert dict(zip(columns, said, strict=True)) == expected, name
    asked = "SELECT DISTINCT toString(origin), service_name, key_kind FROM usage"
    assert ledger.rows(asked) == [["bridged", "shop-js", "opaque"]]


TREE = [
    span(1, {"traceloop.span.kind": "workflow", "traceloop.association.properties.tenant_id": "acme"}, kind="Internal"),
    span(2, tokens(30, 12), parent=1, scope="opentelemetry.instrumentation.langchain"),  # states again what is below
    span(3, {"traceloop.span.kind": "task"}, parent=2, kind="Internal"),
    span(4, tokens(10, 4, traceloop__association__properties__tenant_id="acme"), parent=3, kind="Client"),
    span(5, tokens(20, 8, gen_ai__response__id="r-5"), parent=3, StatusCode="Error"),
    span(6, tokens(20, 8), parent=5, kind="Server"),
    span(7, {"http.method": "POST", "gen_ai.prompt.0.content": "a secret prompt"}, parent=4),
    span(8, tokens(5, 5), scope="tokentrail"),
    span(9, {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 50}),
    span(10, tokens(1, 1, gen_ai__completion__0__content="a secret prompt")) | {"TraceId": "odd"},
]


def test_a_span_around_calls_is_not_taken(nowhere: Ledger, tmp_path: Path) -> None:
    found = nowhere.imported("openllmetry", str(written(tmp_path, "jsonl", TREE)), "--dry-run", "--without-ledger")
    assert (found["new"], found["input_tokens"], found["output_tokens"]) == (2, 30, 12)
    assert found["reasons"] == {
        "states no tokens of a call": 4,
        "stands around spans that state the tokens themselves": 1,
        SERVER_SIDE: 1,
        "a span of tokentrail, whose record is in the ledger": 1,
    }
    assert found["malformed"] == {"a trace or span id that is not 32 hexadecimal digits": 1}


def test_the_table_is_read_and_what_the_bridge_has_taken_counts_once(ledger: Ledger) -> None:
    client = connect(ledger.dsn)
    try:
        client.insert_json("otel_traces", TREE[:-1])
        args = ("openllmetry", "--from-clickhouse", ledger.dsn)
        found = ledger.imported(*args, "--tenant", "others")
        assert (found["new"], found["malformed"]) == (2, {})
        assert ledger.rows("SELECT tenant_id, input_tokens, ended, metadata FROM usage ORDER BY span_id") == [
            ["acme", 10, "complete", '{"tenant_id": "acme"}'],
            ["others", 20, "error", ""],
        ]
        assert ledger.imported(*args)["already_there"] == 2
        done = ledger.command(*args, "--to", "2020-06-01", "--json")
        assert json.loads(done.stdout)["read"] == 0
        assert ledger.rows("SELECT count() FROM usage_landing WHERE position(Body, 'secret') > 0") == [[0]]
    finally:
        client.close()


def test_the_bridge_and_the_import_share_keys(ledger: Ledger, tmp_path: Path) -> None:
    client = connect(ledger.dsn)
    try:
        from tokentrail.clickhouse.migrate import migrate
        from tokentrail.clickhouse.sqlfiles import Target

        migrate(client, Target("tokentrail"), bridge=True)
        client.insert_json("otel_traces", [TREE[3]])
        assert ledger.total() == [1, 10, 4]
        found = ledger.imported("openllmetry", str(written(tmp_path, "otlp.jsonl", [TREE[3]])), "--without-ledger")
        assert found["new"] == 1
        assert ledger.total() == [1, 10, 4]
        assert ledger.rows("SELECT trace_id FROM usage") == [[TRACE]]
    finally:
        client.close()


def test_each_span_keeps_its_service(ledger: Ledger, tmp_path: Path) -> None:
    services = [f"service {number}" for number in range(36)]  # more than there are journals at a time
    rows = [span(number, tokens(number, 1), ServiceName=service) for number, service in enumerate([*services, *services], start=1)]
    found = ledger.imported("openllmetry", str(written(tmp_path, "jsonl", rows)), "--patience", "110")  # each journal's records are an INSERT
    assert (found["new"], found["stopped"]) == (72, "")
    rows = ledger.rows("SELECT service_name, count(), sum(input_tokens) FROM usage GROUP BY 1 ORDER BY 3")
    assert rows == [[service, 2, 38 + 2 * number] for number, service in enumerate(services)]


def test_misuse_is_one_sentence(nowhere: Ledger, tmp_path: Path) -> None:
    for args, sentence in {
        (): "give FILE or --from-clickhouse, one of them",
        (str(tmp_path / "a.json"), "--from-clickhouse", "http://x"): "give FILE or --from-clickhouse, one of them",
        ("--from-clickhouse", "ftp://x"): "the ClickHouse address has no scheme that tokentrail knows",
    }.items():
        done = nowhere.command("openllmetry", *args)
        assert done.returncode == 2, done.stdout
        assert sentence in done.stderr


def test_a_table_that_is_not_there_is_one_sentence(ledger: Ledger) -> None:
    done = ledger.command("openllmetry", "--from-clickhouse", ledger.dsn, "--table", "missing")
    assert done.returncode == 2
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
