"""A database that was made before views were definitions has the same tables, keeps every row, and gets the views of today."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Row, claimed, closing, refused, usage
from tests.support.sql_files import database_of, make_former_database
from tokentrail import semconv
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.report import report
from tokentrail.ledger.verify import verify

SHOWN = (
    "SELECT name, engine, replaceAll(create_table_query, concat(currentDatabase(), '.'), '') FROM system.tables WHERE database = currentDatabase()"
)
"""Every table and view with its columns, comments and query."""
HELD = {
    "usage_landing": "SELECT count() FROM usage_landing",
    "usage": "SELECT * EXCEPT arrived_at FROM usage ORDER BY ALL",
    "key_conflicts": "SELECT * FROM key_conflicts FINAL ORDER BY ALL",
    "quarantine": "SELECT * EXCEPT (arrived_at, version) FROM quarantine FINAL ORDER BY ALL",
    "deliveries": "SELECT writer_id, bitmapCardinality(groupBitmapMergeState(seqs)) FROM deliveries GROUP BY writer_id ORDER BY writer_id",
}


SCHEMA_1 = {
    "key": "log.record.uid",
    "key_kind": "tokentrail.key.kind",
    "key_time": "tokentrail.key.time_unix_nano",
    "call": "tokentrail.call",
    "tenant_id": "tokentrail.tenant_id",
    "operation": "tokentrail.operation",
    "token_type": "tokentrail.token_type",
    "endpoint": "tokentrail.endpoint",
    "gen_ai_operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "ended": "tokentrail.ended",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "input_source": "tokentrail.input.source",
    "output_source": "tokentrail.output.source",
    "last_seq": "tokentrail.writer.last_seq",
    "ranges": "tokentrail.writer.refused",
}


def in_schema_1(row: Row) -> Row:
    """The same record as wire schema 1 had it: without a body, each field an attribute of its own."""
    fields = {name: value for name, value in json.loads(row["Body"]).items() if name not in ("event", "ts")}
    if "ranges" in fields:
        fields["ranges"] = ",".join(f"{low}-{high}" for low, high in fields["ranges"])
    attributes = {SCHEMA_1[name]: str(value) for name, value in fields.items()}
    return row | {"Body": "", "LogAttributes": row["LogAttributes"] | attributes | {semconv.SCHEMA: "1"}}


def records(first: int) -> list[Row]:
    rows = [usage(by=name, seq=seq, content=f"{name}{seq}", input_tokens=seq) for name in ("w1", "w2") for seq in range(first, first + 20)]
    rows += [claimed(f"job-{seq}", by="w3", seq=seq, input_tokens=seq) for seq in range(first, first + 10)]
    return [*rows, usage(by="w4", seq=first, input_tokens="many", content=f"bad{first}"), closing(first + 19), refused("90-95", by="w2")]


@pytest.fixture
def former(dsn: str, request: pytest.FixtureRequest) -> Client:
    client = connect(dsn, create=True)
    make_former_database(client, database_of(dsn), last=getattr(request, "param", "0007"))
    return client


@pytest.mark.parametrize("former", ["0003", "0005", "0007"], indirect=True)
def test_every_row_is_there_and_counts_go_on(former: Client) -> None:
    target = Target(former.database)
    former.insert_json("usage_landing", [in_schema_1(row) for row in records(1)])
    held = {table: former.query(sql) for table, sql in HELD.items()}
    assert [step.name for step in plan(former, target)] == [step.name for step in migrate(former, target)]
    for table, before in held.items():
        after = former.query(HELD[table])
        kept = [after.columns.index(name) for name in before.columns]
        assert [tuple(row[place] for place in kept) for row in after.rows] == before.rows, table
    former.insert_json("usage_landing", records(1))  # what was there comes again, as after a lost answer
    former.insert_json("usage_landing", records(21))
    assert [(row["calls"], row["input_tokens"]) for row in report(former, [])] == [
        (100, sum(range(1, 41)) * 2 + sum(range(1, 11)) + sum(range(21, 31)))
    ]
    # the reason names the field, in wire schema 1 the attribute
    reasons = [(each["records"], each["reason"].partition(" is ")[0]) for each in verify(former).quarantine]
    assert reasons == [(2, "bad count: input_tokens"), (1, "bad count: gen_ai.usage.input_tokens")]
    assert [finding for finding in verify(former).findings if "lost" in finding or "different" in finding] == []
    former.close()


def test_it_ends_as_a_new_database_begins(former: Client, database: Client) -> None:
    migrate(former, Target(former.database))
    assert plan(former, Target(former.database)) == []
    assert sorted(former.query(SHOWN).rows) == sorted(database.query(SHOWN).rows)
    former.close()


def test_one_that_was_never_finished_is_finished(dsn: str) -> None:
    client = connect(dsn, create=True)
    make_former_database(client, database_of(dsn), last="0002")
    migrate(client, Target(database_of(dsn)))
    client.insert_json("usage_landing", [usage()])
    assert client.query("SELECT sum(calls) FROM usage").rows == [(1,)]
    client.close()


def test_records_from_before_half_estimates_keep_their_rank(dsn: str) -> None:
    client, target = connect(dsn, create=True), Target(database_of(dsn))
    half = {"input_source": "unknown", "output_source": "estimated"}
    before_and_after = {
        "k1": ("unknown", "reported"),
        "k2": ("reported", "estimated"),
        "k3": ("estimated", "estimated"),
        "k4": ("reported", "unknown"),
    }

    def told(after: int) -> list[Row]:
        """The records of all keys, whose input says when each was told."""
        given: dict[str, Any] = {"ts": START_NS + after, "input_tokens": after}
        rows = [claimed(key, seq=10 * after + number, source=said[after], **given) for number, (key, said) in enumerate(before_and_after.items(), 1)]
        return [*rows, claimed("half", seq=10 * after + 9, source="unknown", more=half if after else {}, **given)]

    make_former_database(client, target.database, last="0006")
    client.insert_json("usage_landing", [in_schema_1(row) for row in told(0)])
    migrate(client, target)
    client.insert_json("usage_landing", told(1))
    winners = client.query("SELECT idempotency_key, input_tokens FROM usage ORDER BY idempotency_key").rows
    assert winners == [("half", 1), ("k1", 1), ("k2", 0), ("k3", 0), ("k4", 0)]
    client.close()
