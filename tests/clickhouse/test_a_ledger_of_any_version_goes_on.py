"""A database of any former version is migrated while old writers go on: afterwards it holds, and answers, what one has that began with this version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.former_versions import FIRST_WITH_VIEWS, MADE_BY, apply, make_database, migrations, sent
from tests.support.ledger_rows import START_NS, Row, claimed, closing, refused, usage, writer
from tests.support.sql_files import database_of
from tokentrail.clickhouse.client import ClickHouseError, Client, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.query import answer
from tokentrail.ledger.report import report
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify

NUMBERS = [step.name[:4] for step in migrations("any")]
ROUNDS = 4
"""Before the migration, after its first table, after its last, and afterwards."""
VERSIONS = len(list(MADE_BY.glob("*.jsonl")))
HELD = {
    "the ledger": "SELECT * EXCEPT arrived_at FROM usage ORDER BY ALL",
    "claimed keys": "SELECT * FROM key_conflicts FINAL ORDER BY ALL",
    "quarantine": "SELECT * EXCEPT (arrived_at, version) FROM quarantine FINAL ORDER BY ALL",
    "what was heard": (
        "SELECT writer_id, bitmapToArray(groupBitmapMergeState(seqs)), bitmapToArray(groupBitmapMergeState(calls)),"
        " bitmapToArray(groupBitmapMergeState(quarantined)), max(service_name), max(host_name) FROM deliveries GROUP BY writer_id ORDER BY writer_id"
    ),
    "sums by day": "SELECT * EXCEPT is_priced FROM usage_daily ORDER BY ALL",
    "tables and views": (
        "SELECT name, engine, replaceAll(create_table_query, concat(currentDatabase(), '.'), '') FROM system.tables"
        " WHERE database = currentDatabase() ORDER BY name"
    ),
}


def told(round_: int) -> list[Row]:
    """What old writers send in one round, with copies of all that they sent before: the first release's wire schema, whichever version they have."""
    rows: list[Row] = []
    for number in range(round_ + 1):
        rows += sent()[number::ROUNDS]
        seqs = range(10 * number + 1, 10 * number + 11)
        rows += [usage(seq=seq, tenant="acme" if seq % 2 else "beta", ts=START_NS + seq) for seq in seqs]
        rows += [claimed(f"key-{seq}", by="w2", seq=seq, ts=START_NS + seq) for seq in seqs]
        estimated = {"source": "estimated", "input_tokens": number + 1, "ts": START_NS + number}
        rows += [usage(by="w3", seq=number + 1, input_tokens="many"), claimed("again", by="w4", seq=number + 1, **estimated)]
    ends = [closing(10 * ROUNDS), closing(10 * ROUNDS, by="w2"), closing(ROUNDS, by="w3"), closing(ROUNDS + 2, by="w4")]
    last = [refused(f"{ROUNDS + 1}-{ROUNDS + 2}", by="w4"), *ends] if round_ == ROUNDS - 1 else []
    return [row | {"arrived_at": "2026-11-19 00:00:00"} for row in [*rows, *last]]  # long ago: so that sums by day are built at once


def answers(client: Client) -> dict[str, Any]:
    """All that a database holds and answers."""
    assert refresh(client).built
    proof = verify(client)
    found: dict[str, Any] = {name: client.query(sql).rows for name, sql in HELD.items()}
    found |= {"writers": answer(client, "writers").rows, "verify": (proof.findings, proof.balance, proof.completed, len(proof.conflicts))}
    return found | {"report": report(client, ["tenant_id", "operation_name", "day"])}


@pytest.fixture(scope="module")
def expected(engine_dsn: str) -> Callable[[], dict[str, Any]]:
    """What a database that began with this version answers; made once."""
    made: dict[str, Any] = {}

    def make() -> dict[str, Any]:
        if not made:
            client = connect(f"{engine_dsn}?database=began_today", create=True)
            migrate(client, Target("began_today"))
            for round_ in range(ROUNDS):
                client.insert_json("usage_landing", told(round_))
            made.update(answers(client))
            client.command("DROP DATABASE began_today SYNC")
            client.close()
        return made

    return make


def test_there_is_something_to_compare(expected: Callable[[], dict[str, Any]]) -> None:
    found = expected()
    assert all(found.values())
    assert sum(row["calls"] for row in found["report"]) == 20 * ROUNDS + 1 + VERSIONS * 6
    assert any("in quarantine" in each for each in found["verify"][0])


def test_what_the_version_before_the_last_migration_wrote_is_kept() -> None:
    assert (MADE_BY / f"{NUMBERS[-2]}.jsonl").exists(), "tests/clickhouse/made_by/README.md says how it is made, before views change any further"


@pytest.mark.parametrize("number", NUMBERS[:-1])
def test_it_ends_as_one_that_began_with_this_version(dsn: str, number: str, expected: Callable[[], dict[str, Any]]) -> None:
    client, target = connect(dsn, create=True), Target(database_of(dsn))
    make_database(client, target.database, number)
    later = [step for step in migrations(target.database) if step.name[:4] > number]

    def arrive(round_: int) -> None:
        if number >= FIRST_WITH_VIEWS:
            client.insert_json("usage_landing", told(round_))
            return
        with pytest.raises(ClickHouseError):  # there is nothing to take it yet: writers and Collectors keep it, and send it again
            client.insert_json("usage_landing", told(round_))

    arrive(0)
    apply(client, later[:1])  # none of the new views: the former ones go on
    arrive(1)
    apply(client, later[1:])
    arrive(2)
    migrate(client, target)
    assert plan(client, target) == []
    client.insert_json("usage_landing", told(3))
    if number >= FIRST_WITH_VIEWS:
        found = answers(client)
    else:  # nothing was there before: the tables are what can differ
        found = {name: client.query(HELD[name]).rows for name in ("tables and views", "what was heard")}
    assert found == {name: rows for name, rows in expected().items() if name in found}
    client.close()


def test_checks_of_a_former_version_are_compared_for_ever(dsn: str) -> None:
    """0017 was the last version whose checks had 12 bits: they are neither forgotten nor taken for other checks."""
    client, target = connect(dsn, create=True), Target(database_of(dsn))
    make_database(client, target.database, "0017")
    client.insert_json("usage_landing", [usage(seq=seq, content=str(seq), input_tokens=seq) for seq in range(1, 6)])
    client.command("ALTER TABLE usage_ledger UPDATE input_tokens = 1000 WHERE seq = 2 SETTINGS mutations_sync = 2")
    added = "INSERT INTO usage_ledger SELECT * REPLACE ({0} AS seq, {0} AS call, key_hash + {0} AS key_hash) FROM usage_ledger WHERE input_tokens = 3 LIMIT 1"
    client.command(added.format(77))
    with pytest.raises(ClickHouseError, match=r"If it is a column of tokentrail, run `tokentrail migrate"):
        verify(client)
    migrate(client, target)
    client.command(added.format(79))
    elsewhere = usage(seq=4, content="4", input_tokens=4) | {"ServiceName": "shop, as another Collector names it"}
    client.insert_json("usage_landing", [elsewhere, closing(5)])
    assert verify(client).findings == [
        f"writer {writer('w1')}: {sentence}"
        for sentence in ("number 2 counts something else in the ledger than what arrived", "numbers 77,79 are in the ledger and never arrived")
    ]
    client.close()


def test_a_tenant_of_a_former_version_can_be_erased(dsn: str) -> None:
    client, target = connect(dsn, create=True), Target(database_of(dsn))
    make_database(client, target.database, FIRST_WITH_VIEWS)
    client.insert_json("usage_landing", told(0))
    migrate(client, target)
    before = verify(client).findings
    assert erase(client, "beta", "why").proof.gone
    assert verify(client).findings == before
    client.close()
