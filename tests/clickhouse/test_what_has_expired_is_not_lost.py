"""Usages are kept for so many days by tenant; what was removed then is not called lost, does not come back, and what is lost is still named."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import Land, Row, claimed, closing, usage, writer
from tokentrail import semconv
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger import quarantine, retention
from tokentrail.ledger.quarantine_rules import Rule as Fix
from tokentrail.ledger.query import answer
from tokentrail.ledger.report import report
from tokentrail.ledger.retention import Rule, enforce, rules, set_rule, unset_rule
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify
from tokentrail.process.signals import Stop

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


CLOCK_AT_1970 = 10**15


def test_a_clock_at_1970_is_no_sign_of_age(land: Land, database: Client) -> None:
    """A record of today whose clock stands at 1970 was dropped as expired, on arrival and out of quarantine, and `verify` found nothing."""
    set_rule(database, Rule(None, 400, keep_sums=False))
    set_rule(database, Rule("b", 400, keep_sums=False))
    enforce(database)
    land(usage(seq=1, tenant="b", ts=ago(1)), usage(seq=2, tenant="a", ts=CLOCK_AT_1970), closing(2))
    land(claimed("k", by="w2", seq=1, tenant="a", ts=CLOCK_AT_1970), closing(1, by="w2"))
    enforce(database)
    assert verify(database).findings == ["2 records in quarantine: bad time: before 2020"]
    assert verify(database).not_taken == []
    quarantine.replay(database)
    assert quarantine.fix(database, Fix(arrival=True)).remaining == 0
    enforce(database)
    assert database.query("SELECT sum(calls) FROM usage").rows == [(3,)]
    assert verify(database).findings == []


def test_what_has_expired_is_not_missing_from_what_arrived(filled: None, land: Land, database: Client) -> None:
    """Arrivals of today that expired, and such that were not taken, were a finding of `reconcile`."""
    arrived = {"arrived_at": f"{NOW - timedelta(days=2):%Y-%m-%d %H:%M:%S}"}
    land(*(claimed("again", by="w3", seq=seq, ts=ago(500) + seq) | arrived for seq in (1, 2)))
    asked = {"hours": 100, "writer_attribute": semconv.WRITER_ID, "seq_attribute": semconv.SEQ, "event_attribute": semconv.EVENT}
    set_rule(database, Rule(None, 100, keep_sums=False))
    enforce(database)
    land(*records())
    assert answer(database, "reconcile_landing", asked).rows == []
    database.command("ALTER TABLE usage_ledger DELETE WHERE seq = 1 SETTINGS mutations_sync = 2")
    assert [row["examples"] for row in answer(database, "reconcile_landing", asked).dicts()] == ["1, 1", "1, 1"]  # what is really gone is still named


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

    assert run("list").startswith("0 there is no rule: usages are kept for good\n")
    assert run("set", "--days", "5").startswith("2 ")
    assert run("set", "--tenant", "a", "--everyone", "--days", "5").startswith("2 ")
    assert run("unset", "--tenant", "a").startswith("2 ")
    assert run("set", "--everyone", "--days", "100") == "0 everyone else: kept for 100 days; tokentrail retention run removes what is older\n"
    assert "4 stored rows" in run("run", "--dry-run") or "5 stored rows" in run("run", "--dry-run")
    assert database.query("SELECT sum(calls) FROM usage").rows == [(11,)]
    assert json.loads(run("run", "--json")[2:])["removed"][0]["rows"] == 5
    assert database.query("SELECT sum(calls) FROM usage").rows == [(7,)]
    assert [each["days"] for each in json.loads(run("list", "--json")[2:]) if each["table"] is None] == [100]
    assert run("unset", "--everyone").startswith("0 ")


def asked(dsn: str, *words: str) -> tuple[list[dict[str, int]], str]:
    """What `tokentrail report` answers, and what it says beside it."""
    done = CliRunner().invoke(cli, ["report", *words, "--json", "--dsn", dsn])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def test_totals_of_the_past_stay_what_they_were(filled: None, land: Land, database: Client, dsn: str) -> None:
    refresh(database)
    summed = ("--by", "tenant_id,model", "--cost")
    before, _ = asked(dsn, *summed)
    set_rule(database, Rule(None, 30, keep_sums=True))
    enforce(database)
    key_without_time = 1  # summed by no day: of tenant a one claimed key has expired
    for _ in range(2):
        after, said = asked(dsn, *summed)
        assert [row["calls"] for row in after] == [before[0]["calls"] - key_without_time, *(row["calls"] for row in before[1:])]
        assert "6 calls from" in said
        assert [row["calls"] for row in answer(database, "tokens", {"by": "tenant_id"}).dicts()] == [row["calls"] for row in after]
        refresh(database)
    assert asked(dsn, "--by", "tenant_id", "--from", "20d")[1] == ""
    single, said = asked(dsn, "--by", "tenant_id,hour")
    assert (sum(row["calls"] for row in single), "without 6 calls from" in said) == (4, True)


def test_no_moment_of_a_removal_counts_twice(filled: None, database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    set_rule(database, Rule(None, 30, keep_sums=True))
    refresh(database)
    asked_often = []

    def interrupted(*_given: object, **_named: object) -> None:
        asked_often.append(report(database, [])[0]["calls"])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "remove_usages", interrupted)
        with pytest.raises(KeyboardInterrupt):
            enforce(database)
    assert asked_often == [11]
    enforce(database)
    assert report(database, [])[0]["calls"] == 10  # all but the claimed key that states no time


def test_sums_that_two_runs_have_kept_count_once(filled: None, database: Client, dsn: str) -> None:
    set_rule(database, Rule(None, 30, keep_sums=True))
    enforce(database)
    twice = "INSERT INTO usage_days SELECT * REPLACE (build + {} AS build) FROM usage_days WHERE build >= 9223372036854775808"
    for later in (1, 0):  # by a run that began at the same time; by two imports of one archive
        database.command(twice.format(later))
    assert database.query("SELECT sum(calls) FROM usage_kept").rows == [(6,)]
    assert report(database, [])[0]["calls"] == 10
    assert "6 calls from" in asked(dsn, "--by", "tenant_id")[1]
    assert sum(row["calls"] for row in answer(database, "tokens", {"by": "tenant_id"}).dicts()) == 10


def test_kept_sums_count_once_whatever_the_rules_become(filled: None, land: Land, database: Client) -> None:
    set_rule(database, Rule(None, 30, keep_sums=True))
    enforce(database)
    assert unset_rule(database, None)
    enforce(database)
    land(*records())
    assert report(database, [])[0]["calls"] == 10
    assert database.query("SELECT sum(calls) FROM usage").rows == [(4,)]
    assert verify(database).findings == []


def test_what_arrives_is_kept_as_long_as_its_table_says(land: Land, database: Client, dsn: str) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["retention", words[0], "--dsn", dsn, *words[1:]])
        return f"{done.exit_code} {done.output}"

    def days() -> dict[str, int]:
        return {each["table"]: each["days"] for each in json.loads(run("list", "--json")[2:]) if each["table"]}

    assert days() == dict.fromkeys(("usage_landing", "otel_logs", "otel_traces", "otel_metrics"), 30)
    for said in ("7 days after arrival\n", "7 days after arrival, as before\n"):
        assert run("set", "--table", "otel_traces", "--days", "7") == f"0 otel_traces: kept for {said}"
    assert run("set", "--table", "otel_metrics", "--days", "0") == "0 otel_metrics: kept for good after arrival\n"
    assert run("set", "--table", "usage_landing", "--days", "1").startswith("0 ")
    assert days() == {"usage_landing": 1, "otel_logs": 30, "otel_traces": 7, "otel_metrics": 0}
    land(usage(seq=1, ts=ago(3)) | {"arrived_at": f"{NOW - timedelta(days=3):%Y-%m-%d %H:%M:%S}"})
    database.command("OPTIMIZE TABLE usage_landing FINAL")
    assert database.query("SELECT count() FROM usage_landing").rows == [(0,)]
    assert database.query("SELECT sum(calls) FROM usage").rows == [(1,)]
    assert migrate(database, Target(database.database)) == []  # and leaves the times alone
    assert days()["otel_traces"] == 7
    assert run("set", "--table", "otel_logs", "--tenant", "a", "--days", "7").startswith("2 ")
    assert run("set", "--table", "usage_ledger", "--days", "7").startswith("2 ")


def test_the_run_goes_on_by_itself_until_it_is_ended(filled: None, database: Client, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_rule(database, Rule(None, 100, keep_sums=False))
    waited: list[float] = []

    def wait(stop: Stop, seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 2:
            stop.ask()
        return stop.asked

    monkeypatch.setattr(Stop, "wait", wait)
    done = CliRunner().invoke(cli, ["retention", "run", "--dsn", dsn, "--every", "1d", "--json"])
    assert (done.exit_code, waited) == (0, [86400.0, 86400.0])
    assert [json.loads(line)["removed"][0]["rows"] for line in done.stdout.splitlines()] == [5, 0]
    assert database.query("SELECT sum(calls) FROM usage").rows == [(7,)]
