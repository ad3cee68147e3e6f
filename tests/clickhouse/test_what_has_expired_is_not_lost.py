"""Usages are kept for so many days by tenant; what was removed then is not called lost, does not come back, and what is lost is still named."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import Land, Row, claimed, closing, usage, writer
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.retention import Rule, enforce, rules, set_rule, unset_rule
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify

NOW = datetime.now(timezone.utc)
BY_TENANT = "SELECT tenant_id, sum(calls), sum(input_tokens) FROM {} GROUP BY tenant_id ORDER BY tenant_id"


def ago(days: int) -> int:
    """The nanoseconds of noon, so many days ago."""
    noon = (NOW - timedelta(days=days)).replace(hour=12, minute=0, second=0, microsecond=0)
    return int(noon.timestamp()) * 10**9


def records() -> list[Row]:
    rows = [usage(seq=seq, tenant=tenant, ts=ago(days) + seq) for seq, (tenant, days) in enumerate([(t, d) for t in "abc" for d in (5, 50, 500)], 1)]
    rows += [claimed(f"key-{days}", by="w2", seq=seq, tenant="a", ts=ago(days)) for seq, days in ((1, 5), (2, 500))]
    rows.append(usage(by="w2", seq=3, tenant="a", ts=ago(500), input_tokens="many"))
    arrived = f"{NOW - timedelta(days=2):%Y-%m-%d %H:%M:%S}"
    return [row | {"arrived_at": arrived} for row in (*rows, closing(9), closing(3, by="w2"))]


@pytest.fixture
def filled(land: Land) -> None:
    land(*records())


def test_each_tenant_keeps_its_own_days(filled: None, database: Client) -> None:
    set_rule(database, Rule(None, 30, keep_sums=False))
    set_rule(database, Rule("a", 100, keep_sums=False))
    set_rule(database, Rule("b", 0, keep_sums=False))
    enforce(database)
    assert database.query(BY_TENANT.format("usage")).rows == [("a", 3, 30), ("b", 3, 30), ("c", 1, 10)]
    found = verify(database)
    assert found.findings == []  # the record in quarantine has expired too
    assert [(each.service_name, each.events) for each in found.completed] == [("shop", 12)]


def test_what_has_expired_does_not_come_back(filled: None, land: Land, database: Client) -> None:
    set_rule(database, Rule(None, 100, keep_sums=False))
    enforce(database)
    held = database.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows
    land(*records())
    assert database.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows == held
    found = verify(database)
    assert found.findings == []
    assert [each["records"] for each in found.not_taken] == [5]


def test_a_longer_rule_lets_old_records_in_again(filled: None, land: Land, database: Client) -> None:
    set_rule(database, Rule(None, 100, keep_sums=False))
    enforce(database)
    assert unset_rule(database, None)
    assert not unset_rule(database, None)
    assert (rules(database), enforce(database)) == ([], [])
    land(*records())
    assert database.query("SELECT sum(calls) FROM usage").rows == [(11,)]


def test_what_was_lost_before_is_still_named(filled: None, database: Client) -> None:
    database.command("ALTER TABLE usage_ledger DELETE WHERE call IN (3, 4) AND key_kind = 'automatic' SETTINGS mutations_sync = 2")
    set_rule(database, Rule(None, 30, keep_sums=False))
    enforce(database)
    (found,) = [each for each in verify(database).writers if each.writer_id == writer("w1")]
    assert found.lost_calls == "3-4"


def test_sums_by_day_stay_right_and_are_kept_by_choice(filled: None, database: Client) -> None:
    set_rule(database, Rule("a", 30, keep_sums=True))
    set_rule(database, Rule("b", 30, keep_sums=False))
    refresh(database)
    for _ in range(2):  # the second run finds nothing, and keeps no sum twice
        enforce(database)
        assert database.query(BY_TENANT.format("usage_kept")).rows == [("a", 2, 20)]
    assert verify(database).findings == []
    refresh(database)
    assert database.query(BY_TENANT.format("usage_daily")).rows == [("a", 1, 10), ("b", 1, 10), ("c", 3, 30)]
    assert verify(database).findings == []
    refresh(database, every=True)
    assert database.query(BY_TENANT.format("usage_kept")).rows == [("a", 2, 20)]
    assert verify(database).findings == []


def test_the_command_sets_lists_and_runs(filled: None, database: Client, dsn: str) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["retention", words[0], "--dsn", dsn, *words[1:]])
        return f"{done.exit_code} {done.output}"

    assert run("list") == "0 there is no rule: usages are kept for good\n"
    assert run("set", "--days", "5").startswith("2 ")
    assert run("set", "--tenant", "a", "--everyone", "--days", "5").startswith("2 ")
    assert run("unset", "--tenant", "a").startswith("2 ")
    assert run("set", "--everyone", "--days", "100") == "0 everyone else: kept for 100 days; tokentrail retention run removes what is older\n"
    assert "4 stored rows" in run("run", "--dry-run") or "5 stored rows" in run("run", "--dry-run")
    assert database.query("SELECT sum(calls) FROM usage").rows == [(11,)]
    assert json.loads(run("run", "--json")[2:])["removed"][0]["rows"] == 5
    assert database.query("SELECT sum(calls) FROM usage").rows == [(7,)]
    assert [each["days"] for each in json.loads(run("list", "--json")[2:])] == [100]
    assert run("unset", "--everyone").startswith("0 ")
