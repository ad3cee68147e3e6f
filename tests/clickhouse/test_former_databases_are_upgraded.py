"""A database that was made before views were definitions has the same tables, keeps every row, and gets the views of today."""

from __future__ import annotations

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


def records(first: int) -> list[Row]:
    rows = [usage(by=name, seq=seq, content=f"{name}{seq}", input_tokens=seq) for name in ("w1", "w2") for seq in range(first, first + 20)]
    rows += [claimed(f"job-{seq}", by="w3", seq=seq, input_tokens=seq) for seq in range(first, first + 10)]
    return [*rows, usage(by="w4", seq=first, input_tokens="many", content=f"bad{first}"), closing(first + 19), refused("90-95", by="w2")]


@pytest.fixture
def former(dsn: str) -> Client:
    client = connect(dsn, create=True)
    make_former_database(client, database_of(dsn))
    return client


def test_every_row_is_there_and_counts_go_on(former: Client) -> None:
    target = Target(former.database)
    former.insert_json("usage_landing", records(1))
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
    assert [(each["records"], each["reason"][:9]) for each in verify(former).quarantine] == [(2, "bad count")]
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
    half = {semconv.INPUT_SOURCE: "unknown", semconv.OUTPUT_SOURCE: "estimated"}
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
    client.insert_json("usage_landing", told(0))
    migrate(client, target)
    client.insert_json("usage_landing", told(1))
    winners = client.query("SELECT idempotency_key, input_tokens FROM usage ORDER BY idempotency_key").rows
    assert winners == [("half", 1), ("k1", 1), ("k2", 0), ("k3", 0), ("k4", 0)]
    client.close()
