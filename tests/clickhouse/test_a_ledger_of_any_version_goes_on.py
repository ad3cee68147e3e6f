"""A database that the version of migration 0013 has made is migrated while writers of that version go on: every record counts once, before and after.

`made_by_0013/steps.json` has every statement that version ran, rendered for a single server: tables and views.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.ledger_rows import START_NS, Row, claimed, closing, usage
from tests.support.sql_files import database_of
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import steps
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify

MADE_BY_0013 = Path(__file__).parent / "made_by_0013"


def records(round_: int) -> list[Row]:
    """What old writers tell in one round, with copies of the round before."""
    seqs = range(10 * max(round_ - 1, 0) + 1, 10 * round_ + 11)
    rows = [usage(seq=seq, tenant="acme" if seq % 2 else "beta", ts=START_NS + seq) for seq in seqs]
    return [*rows, *(claimed(f"key-{seq}", by="w2", seq=seq, ts=START_NS + seq) for seq in seqs), usage(by="w3", seq=round_ + 1, input_tokens="many")]


@pytest.fixture
def former(dsn: str) -> Client:
    client = connect(dsn, create=True)
    name = database_of(dsn)
    client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(name)} ENGINE = Atomic")
    client.use(name)
    for statement in sqlfiles.statements((MADE_BY_0013 / "applied.sql").read_text(encoding="utf-8")):
        client.command(statement)
    for step in json.loads((MADE_BY_0013 / "steps.json").read_text(encoding="utf-8")):
        for statement in step["statements"]:
            client.command(statement)
        client.insert_json("migrations", [{"name": step["name"], "checksum": step["checksum"], "cluster": "", "package": "0.1.0"}])
    return client


def test_totals_and_the_proof_are_right_at_every_step(former: Client) -> None:
    target, rounds = Target(former.database), 0
    former.insert_json("usage_landing", records(rounds))
    for last, step in enumerate(steps(target), 1):
        if step.definition or step.name not in [each.name for each in plan(former, target)]:
            continue
        for statement in step.statements:  # one migration, and none of the new views: the former ones go on
            former.command(statement)
        rounds += 1
        former.insert_json("usage_landing", records(rounds))
        assert former.query("SELECT sum(calls) FROM usage").rows == [(20 * (rounds + 1),)], (last, step.name)
    assert rounds > 0
    migrate(former, target)
    assert plan(former, target) == []
    rounds += 1
    former.insert_json(
        "usage_landing", [*records(rounds), closing(10 * rounds + 10), closing(10 * rounds + 10, by="w2"), closing(rounds + 1, by="w3")]
    )
    assert former.query("SELECT sum(calls), uniqExact(idempotency_key) FROM usage").rows == [(20 * (rounds + 1), 20 * (rounds + 1))]
    assert verify(former).findings == [f"{rounds + 1} records in quarantine: bad count: input_tokens is not a whole number within a trillion"]
    refresh(former)
    assert erase(former, "beta", "why").proof.gone
    assert verify(former).findings == [f"{rounds + 1} records in quarantine: bad count: input_tokens is not a whole number within a trillion"]
    former.close()
