"""Two nodes on the real engine: sharding, sending and reading are real; replication and the DDL queue are not there (tests/support/cluster)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.cluster.nodes import NodeClient, Nodes, two_nodes
from tests.support.ledger_rows import START_NS, Row, claimed, closing, refused, usage, writer
from tests.support.sql_files import know_one_count_more
from tokentrail import semconv
from tokentrail.archive.exporting import export_ledger
from tokentrail.archive.importing import import_ledger
from tokentrail.archive.manifest import ArchiveError
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.migrate import MigrationError, migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger import quarantine
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.query import answer, questions, read
from tokentrail.ledger.report import report
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify
from tokentrail.prices.price import Price, PriceList
from tokentrail.prices.store import load

FOREGROUND = {"distributed_foreground_insert": "1"}  # as collector-config/gateway.yaml says it
KEYS = {
    "usage_landing": "JSONExtractString(Body, 'key')",
    "usage_ledger": "toString((key_ts, key_hash))",
    "key_conflicts": "toString(key_hash)",
    "quarantine": "toString(digest)",
}
ANSWERS = {
    "totals": "SELECT sum(calls), sum(input_tokens), sum(output_tokens), count(), uniqExact(idempotency_key) FROM usage",
    "groups": "SELECT tenant_id, key_kind, source, sum(calls), sum(input_tokens), sum(output_tokens) FROM usage GROUP BY ALL ORDER BY ALL",
    "a range": "SELECT count(), sum(input_tokens) FROM usage WHERE ts >= '2026-11-18 11:10:00' AND tenant_id = 'acme'",
    "every row": "SELECT idempotency_key, calls, input_tokens, output_tokens, source, tenant_id, writer_id, seq, ts FROM usage ORDER BY ALL",
    "stored rows": "SELECT count(), sum(input_tokens) FROM usage_ledger FINAL",
    "quarantine": "SELECT reason, count() FROM (SELECT reason, digest FROM quarantine FINAL) GROUP BY reason ORDER BY reason",
    "landing": "SELECT count() FROM usage_landing",
    "conflicts": read("conflicts").sql,
    "lost calls": read("compared_rows").sql,
    "lost keys": read("lost_keys").sql,
    "lost from quarantine": read("lost_quarantine").sql,
}

GIVEN = {"calls_of_a_trace": {"trace": "x"}, "calls_of_an_operation": {"operation_id": "x"}, "spans_of_a_trace": {"trace": "x"}}
"""Parameters without a default."""
OF_THE_MOMENT = ("services", "arrivals", "arrival_over_time", "latest_calls", "copies", "processes", "journals", "rollup")
"""Questions whose answers state times of arrival, or the present, or read what only a Collector writes."""
UNSPOKEN = ("budgets", "condition_budget_burn_fast", "condition_budget_burn_slow", "condition_budget_spent")
"""Questions that send types which the nodes here do not speak."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    with two_nodes() as running:
        yield running


@pytest.fixture
def name() -> str:
    return f"c{next(_numbers)}"


@pytest.fixture
def sharded(nodes: Nodes, name: str) -> NodeClient:
    """A migrated database of the test's own over both shards, asked at the first node."""
    return migrated(nodes, Target(name, "shards"))


def migrated(nodes: Nodes, target: Target) -> NodeClient:
    client = nodes.client(**FOREGROUND)
    migrate(client, target)
    return client


def mixed() -> list[Row]:
    """Some of everything that a ledger is given, and copies of it, in any order."""
    pick = random.Random(7)
    rows = []
    for name in ("w1", "w2", "w3"):
        for seq in range(1, 101):
            more = {
                "tenant": pick.choice(["acme", "beta", ""]),
                "output_tokens": pick.choice([None, 3, 7]),
                "source": pick.choice(["reported", "estimated"]),
            }
            rows.append(usage(by=name, seq=seq, content=f"{name}{seq}", input_tokens=seq, **more))
        rows += [closing(120, by=name), refused("101-105", by=name)]
    for number in range(40):  # opaque keys, each said by two writers, a third of them with other numbers
        for name, said in (("w1", 100), ("w2", 100 + (number % 3 == 0))):
            rows.append(claimed(f"job-{number}", by=name, seq=111 + number % 10, input_tokens=said, ts=START_NS + number * 10**9))
    for number in range(30):  # estimated first, then reported
        for seq, source, tokens in ((200 + number, "estimated", 50), (300 + number, "reported", 60)):
            call = {"call": 200 + number, "ts": START_NS + (5000 + number) * 10**9}
            rows.append(usage(by="w3", seq=seq, content=f"c{number}", input_tokens=tokens, source=source, **call))
    rows += [usage(by="w1", seq=400 + number, input_tokens="many", content=f"bad{number}") for number in range(20)]
    copies = rows + [pick.choice(rows) for _ in range(300)]
    pick.shuffle(copies)
    return copies


def land(client: Client, rows: list[Row], size: int = 150) -> None:
    for start in range(0, len(rows), size):
        client.insert_json("usage_landing", rows[start : start + size])


def on_both_shards(nodes: Nodes, database: str, table: str) -> tuple[int, int]:
    """How many keys of a table lie on both shards, and how many there are."""
    held = [{key for (key,) in nodes.client(at, database).query(f"SELECT DISTINCT {KEYS[table]} FROM {table}_local").rows} for at in (0, 1)]
    return len(held[0] & held[1]), len(held[0] | held[1])


def read_verification(client: Client) -> dict[str, object]:
    verification = verify(client)
    known = [(each.writer_id, each.state, each.events, each.last_seq, each.missing, each.refused) for each in verification.writers]
    return {"writers": sorted(known), "findings": sorted(verification.findings), "completed": len(verification.completed)}


def test_copies_through_both_nodes_give_the_answers_of_a_single_server(nodes: Nodes, sharded: NodeClient, database: Client) -> None:
    rows = mixed()
    land(nodes.balanced(sharded.database, **FOREGROUND), rows)
    land(database, rows)
    for table in KEYS:
        both, known = on_both_shards(nodes, sharded.database, table)
        assert (both, known > 0) == (0, True), table
    expected = read_verification(database)
    assert expected["findings"]
    for at in (0, 1):
        node = nodes.client(at, sharded.database)
        for what, sql in ANSWERS.items():
            assert node.query(sql).rows == database.query(sql).rows, f"{what} at node {at}"
        assert report(node, ["tenant_id", "source"]) == report(database, ["tenant_id", "source"])
        assert read_verification(node) == expected
        assert len(verify(node, all_writers=False).writers) == 3
        assert [each["records"] for each in quarantine.reasons(node)] == [20]


def test_an_erasure_reaches_every_shard(nodes: Nodes, sharded: NodeClient, database: Client) -> None:
    rows = [*mixed(), *(claimed(f"job-{number}", by="w4", seq=number + 1, tenant="beta", ts=START_NS - 10**9) for number in range(20))]
    land(nodes.balanced(sharded.database, **FOREGROUND), rows)
    land(database, rows)
    for client in (database, sharded):
        erased = erase(client, "acme", "why")
        assert erased.proof.gone
        assert "usage_ledger" in erased.share.rows
    for at in (0, 1):
        node = nodes.client(at, sharded.database)
        for what in ("totals", "groups", "every row", "quarantine", "landing", "conflicts", "lost calls", "lost keys", "lost from quarantine"):
            assert node.query(ANSWERS[what]).rows == database.query(ANSWERS[what]).rows, f"{what} at node {at}"
        assert read_verification(node) == read_verification(database)
    # what Keeper would do: the same rules on both nodes
    rules = database.query("SELECT cause, toString(tenant) AS tenant, version, until FROM removals").dicts()
    nodes.client(1, sharded.database, **FOREGROUND).insert_json("removals", rules)
    before = sharded.query(ANSWERS["every row"]).rows
    land(nodes.balanced(sharded.database, **FOREGROUND), rows)
    assert sharded.query(ANSWERS["every row"]).rows == before
    with pytest.raises(ArchiveError, match="into a single server"):
        import_ledger(sharded, exported(database, nodes.folder / "archive"))


def exported(database: Client, folder: Path) -> Path:
    export_ledger(database, folder)
    return folder


def test_sums_by_day_and_questions_are_those_of_a_single_server(nodes: Nodes, sharded: NodeClient, database: Client) -> None:
    """Price lists, budgets and sums are the same on every node; here, where nothing is replicated, the first node has them and is asked."""
    rows = [row | {"arrived_at": "2026-11-20 00:00:00"} for row in mixed()]
    later = [usage(by="late", seq=1, ts=START_NS + 86_400 * 10**9)]
    answers = []
    for client in (database, sharded):
        client.insert_json("usage_landing", rows)
        load(client, PriceList("own", (Price("openai", "gpt", ("gpt-4o-mini.*",), {"input": [(0, Decimal(2))]}),)))
        assert len(refresh(client).built) > 0
        client.insert_json("usage_landing", later)
        answers.append({name: answer(client, name, GIVEN.get(name)).rows for name in questions() if name not in (*OF_THE_MOMENT, *UNSPOKEN)})
        answers[-1]["fresh"] = client.query("SELECT day FROM usage_fresh_days ORDER BY day").rows
        answers[-1]["report"] = [tuple(row.values()) for row in report(client, ["model", "day"], cost=True)]
        answers[-1]["different days"] = answer(client, "days_different").rows
    assert answers[1] == answers[0]
    assert answers[0]["fresh"] != []
    assert answers[0]["different days"] == []


def test_a_key_that_is_sharded_by_chance_would_be_noticed(nodes: Nodes, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlfiles.render
    by_key = "'usage_landing_local', cityHash64(JSONExtractString(Body, 'key'))"
    monkeypatch.setattr(sqlfiles, "render", lambda text, target: real(text, target).replace(by_key, "'usage_landing_local', rand()"))
    client = migrated(nodes, Target(name, "shards"))
    rows = [usage(seq=seq, content=str(seq)) for seq in range(1, 101)] + [claimed(f"k{seq}", seq=seq) for seq in range(101, 141)]
    land(client, rows)
    assert verify(client).findings == [], "each record lies somewhere, once"
    land(client, rows)
    assert on_both_shards(nodes, name, "usage_ledger")[0] > 0
    found = verify(client).findings
    assert sum("copies lie on several shards" in text for text in found) == len(found) > 1, found
    assert any(text.startswith("calls ") for text in found)
    assert any(text.startswith("claimed key 'k1") for text in found)
    assert report(client, [])[0]["calls"] > 100


def test_one_shard_is_a_cluster_too(nodes: Nodes, name: str) -> None:
    client = migrated(nodes, Target(name, "alone"))
    assert migrate(client, Target(name, "alone")) == []
    for _ in range(2):
        land(client, [usage(seq=seq, input_tokens=seq, content=str(seq)) for seq in range(1, 101)] + [closing(100)])
    assert [(row["calls"], row["input_tokens"]) for row in report(client, [])] == [(100, 5050)]
    assert [each.state for each in verify(client).writers] == ["complete"]


def test_an_insert_that_a_dead_shard_refuses_counts_once_after_its_retry(nodes: Nodes, sharded: NodeClient) -> None:
    land(sharded, [usage(seq=1)])
    rows = [usage(by="w9", seq=seq, content=str(seq)) for seq in range(1, 101)] + [closing(100, by="w9")]
    nodes.kill(1)
    try:
        with pytest.raises(ClickHouseError):
            land(sharded, rows)
        with pytest.raises(ClickHouseError):  # no half of a total is given out as one
            report(sharded, [])
    finally:
        nodes.start()
    for _ in range(2):
        land(sharded, rows)
    assert report(sharded, [])[0]["calls"] == 101
    assert {each.writer_id: each.state for each in verify(sharded).writers} == {writer("w1"): "open", writer("w9"): "complete"}


PROFILES = [
    pytest.param({"distributed_foreground_insert": "0", "parallel_distributed_insert_select": "0"}, id="background"),
    pytest.param({"distributed_foreground_insert": "0", "parallel_distributed_insert_select": "2"}, id="background, shard by shard"),
    pytest.param({"distributed_foreground_insert": "1", "parallel_distributed_insert_select": "0"}, id="foreground"),
]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_replay_marks_nothing_that_is_not_understood(nodes: Nodes, sharded: NodeClient, profile: dict[str, str]) -> None:
    land(sharded, unknown(60))
    client = nodes.client(0, sharded.database, **profile)
    for _ in range(2):
        replayed = quarantine.replay(client)
        for table in ("usage_landing", "quarantine"):  # what a server's background senders do sooner or later
            sharded.command(f"SYSTEM FLUSH DISTRIBUTED {table}")
        assert (replayed.records, replayed.understood, marked(sharded)) == (60, 0, 0)


def test_a_replay_marks_what_is_understood_on_every_shard(nodes: Nodes, sharded: NodeClient) -> None:
    land(sharded, [*unknown(60), usage(by="w1", seq=1, input_tokens="many")])
    for at in (0, 1):
        learn(nodes.client(at, sharded.database))
    replayed = quarantine.replay(nodes.client(0, sharded.database, **PROFILES[0].values[0]))
    assert (replayed.records, replayed.understood, marked(sharded)) == (61, 60, 60)
    assert report(sharded, [])[0]["calls"] == 60
    for table in KEYS:
        assert on_both_shards(nodes, sharded.database, table)[0] == 0, table


def test_a_replay_through_a_balancer_marks_nothing_that_a_replica_has_yet_to_learn(nodes: Nodes, name: str) -> None:
    """Each statement reaches another replica, and what one of them has taken has not reached the other."""
    migrated(nodes, Target(name, "replicas"))
    for at in (0, 1):  # so far both replicas know the same
        nodes.client(at, name).insert_json("usage_landing_local", unknown(30))
    for profile in PROFILES:
        replayed = quarantine.replay(nodes.balanced(name, **profile.values[0]))
        assert (replayed.records, replayed.understood) == (30, 0)
    rows = [nodes.client(at, name).query("SELECT countIf(replayed_at IS NOT NULL) FROM quarantine_local FINAL").rows for at in (0, 1)]
    assert rows == [[(0,)], [(0,)]]


def test_views_are_known_and_put_back_on_every_node(nodes: Nodes, sharded: NodeClient) -> None:
    target, other = Target(sharded.database, "shards"), nodes.client(1, sharded.database)
    assert plan(sharded, target) == []
    other.command("DROP VIEW usage_to_ledger SYNC")
    other.command("ALTER TABLE usage_to_quarantine MODIFY QUERY SELECT digest FROM usage_parsed")
    assert [(step.name, step.reason) for step in plan(sharded, target)] == [
        ("usage_to_ledger", "is missing on 1 of 2 nodes"),
        ("usage_to_quarantine", "is not what was put in place"),
    ]
    migrate(sharded, target)
    assert plan(sharded, target) == []
    land(sharded, [usage(seq=seq, content=str(seq)) for seq in range(1, 51)])
    assert report(sharded, [])[0]["calls"] == 50


def test_a_count_that_comes_later_is_counted_on_every_shard(nodes: Nodes, sharded: NodeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    know_one_count_more(monkeypatch)
    migrate(sharded, Target(sharded.database, "shards"))
    land(sharded, [usage(seq=seq, content=str(seq), more={"held_tokens": 2}) for seq in range(1, 51)])
    assert sharded.query("SELECT sum(held_tokens) FROM usage").rows == [(100,)]
    assert all(nodes.client(at, sharded.database).query("SELECT sum(held_tokens) > 0 FROM usage_ledger_local").rows == [(1,)] for at in (0, 1))


def test_a_stored_table_that_one_node_lacks_is_not_made_anew(nodes: Nodes, sharded: NodeClient) -> None:
    nodes.client(1, sharded.database).command("DROP TABLE otel_logs_local SYNC")
    with pytest.raises(MigrationError, match="table otel_logs_local is missing on 1 of 2 nodes of cluster shards"):
        migrate(sharded, Target(sharded.database, "shards"), empty_tables=True)


def unknown(count: int) -> list[Row]:
    return [usage(by="w8", seq=seq, content=f"u{seq}", attributes={semconv.SCHEMA: 3}) for seq in range(1, count + 1)]


def marked(client: Client) -> int:
    return client.query("SELECT countIf(replayed_at IS NOT NULL) FROM (SELECT replayed_at FROM quarantine FINAL)").rows[0][0]


def learn(client: Client) -> None:
    """What a later migration would do: read schema 3 as well."""
    ((text,),) = client.query("SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'usage_parse'").rows
    assert "schema_text != '2'" in text
    taught = text.replace("schema_text != '2'", "schema_text NOT IN ('2', '3')")
    client.command(f"ALTER TABLE usage_parse MODIFY QUERY {taught}")
