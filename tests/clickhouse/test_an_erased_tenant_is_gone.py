"""An erased tenant stands in no table any more, `verify` is as right as before, and old records of the tenant do not bring it back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import START_NS, Land, Row, claimed, closing, usage, writer
from tokentrail.budgets import store as budgets
from tokentrail.budgets.budget import budget
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine
from tokentrail.ledger.erasure import erase, erase_again, erasures, share
from tokentrail.ledger.places import tables
from tokentrail.ledger.proof import prove
from tokentrail.ledger.verify import verify

LATER = "2262-01-01 00:00:00"
HOSTILE = ["acme", "a'b\\c", 'quo"te', "naïve 顧客", "two\nlines", "a.b*c(", "%41cme", "{x}", "acme, beta"]


def records(tenant: str = "acme") -> list[Row]:
    """Usages of a tenant in every form, and of others whose names look alike."""
    return [
        usage(seq=1, tenant=tenant, key=f"chat:x:{'0' * 32}:{START_NS + 10**9:019d}"),
        usage(seq=2, call=1, ts=START_NS + 3 * 10**9, tenant=tenant, key=f"chat:x:{'0' * 32}:{START_NS + 10**9:019d}", key_time=START_NS + 10**9),
        usage(seq=3, tenant="beta"),
        usage(seq=4, tenant="acme-eu"),
        usage(seq=5, tenant=tenant, input_tokens="many"),
        claimed("mine", seq=6, tenant=tenant),
        claimed("shared", seq=7, tenant=tenant, source="estimated"),
        claimed("shared", by="w2", seq=1, tenant="beta", input_tokens=70),
        closing(7),
        closing(1, by="w2"),
    ]


def job(tenant: str) -> list[Row]:
    """A batch that `tenant` created, and whose usage a worker of nobody's polled."""
    created: dict[str, Any] = {"calls": 0, "input_tokens": None, "output_tokens": None}
    return [
        usage(by="maker", key="openai/batch_1##created", kind="opaque", seq=1, tenant=tenant, source="unknown", more=created),
        usage(by="poller", key="openai/batch_1#7", kind="opaque", seq=1, tenant="", input_tokens=1000),
        closing(1, by="maker"),
        closing(1, by="poller"),
    ]


def fill_beside(database: Client, tenant: str) -> None:
    """The tenant in all the tables beside the ledger."""
    log = {"Timestamp": "2026-11-20 10:00:00", "ServiceName": "shop", "Body": "hello", "LogAttributes": {"tokentrail.tenant_id": tenant}}
    span = {"Timestamp": "2026-11-20 10:00:00", "SpanName": "chat", "SpanAttributes": {"traceloop.association.properties.tenant_id": tenant}}
    nested = {"Timestamp": "2026-11-20 10:00:00", "SpanName": "n", "Events.Timestamp": ["2026-11-20 10:00:00"], "Events.Name": ["e"]}
    metric = {"MetricName": "m", "TimeUnix": "2026-11-20 10:00:00", "Attributes": {"tokentrail.tenant_id": tenant}}
    database.insert_json("otel_logs", [log, log | {"LogAttributes": {}}])
    database.insert_json("otel_traces", [span, span | {"SpanAttributes": {}}, nested | {"Events.Attributes": [{"tenant.id": tenant}]}])
    database.insert_json("otel_metrics_sum", [metric, metric | {"Attributes": {"tokentrail.tenant_id": "beta"}}])
    alert = {"condition": "rise", "version": 1, "state": "firing", "since": "2026-11-20 10:00:00", "value": 1, "threshold": 1}
    database.insert_json("alerts", [alert | {"subject": tenant}, alert | {"subject": "beta"}])
    database.insert_json("usage_days", [{"day": "2026-11-18", "build": 1, "tenant_id": name, "calls": 1} for name in (tenant, "beta")])
    for name, whose in (("alone", [tenant]), ("both", [tenant, "beta"]), ("other", ["beta"])):
        budgets.put(database, [budget("b", {"name": name, "tokens": "100", "per": "day", "tenant": whose})])


@pytest.mark.parametrize("tenant", HOSTILE)
def test_no_column_of_any_table_has_the_name(land: Land, database: Client, tenant: str) -> None:
    land(*records(tenant), *job(tenant))
    fill_beside(database, tenant)
    before = prove(database, tenant, LATER)
    assert set(before.standing) > {
        "usage_landing",
        "usage_ledger",
        "quarantine",
        "key_conflicts",
        "usage_jobs",
        "otel_traces",
        "budgets",
        "usage_days",
    }
    erased = erase(database, tenant, "request 17")
    assert erased.proof.gone
    assert erased.proof.mentions == {}
    assert erased.share.rows == before.standing
    for table in tables(database):  # as plain as can be: the rows' own texts
        for row in database.query(f"SELECT * FROM {table.name}").rows:
            assert tenant not in [row, *row], table.name
            assert not any(tenant in (str(name), str(value)) for each in row if isinstance(each, dict) for name, value in each.items()), table.name
    assert verify(database).findings == []
    assert budgets.stored(database)[0]["tenants"] == ["beta"]
    assert sorted(each["name"] for each in budgets.stored(database)) == ["both", "other"]
    assert [kept for (kept,) in database.query("SELECT subject FROM alerts").rows] == ["beta"]
    assert database.query("SELECT count() FROM otel_logs").rows == [(1,)]


def test_others_keep_what_they_have(land: Land, database: Client) -> None:
    land(*records(), *job("acme"))
    erase(database, "acme", "why")
    found = database.query("SELECT tenant_id, sum(calls), sum(input_tokens) FROM usage GROUP BY tenant_id ORDER BY tenant_id").rows
    assert found == [("acme-eu", 1, 10), ("beta", 2, 80)]


def test_a_job_that_others_created_stays_theirs(land: Land, database: Client) -> None:
    rows = job("beta")
    land(*rows[:1], usage(by="poller", key="openai/batch_1#7", kind="opaque", seq=1, tenant="acme", input_tokens=1000), *rows[2:])
    assert erase(database, "acme", "why").proof.gone
    assert database.query("SELECT tenant_id, sum(input_tokens) FROM usage GROUP BY tenant_id").rows == [("beta", 1000)]
    assert verify(database).findings == []


def test_old_records_that_arrive_again_are_heard_and_not_taken(land: Land, database: Client) -> None:
    land(*records())
    erased = erase(database, "acme", "why")
    before = database.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows
    land(*records())
    assert database.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows == before
    assert quarantine.reasons(database) == []
    found = verify(database)
    assert found.findings == []
    assert [(each["service_name"], each["records"]) for each in found.not_taken] == [("shop", 5)]
    assert set(prove(database, "acme", erased.share.until).standing) == {"usage_landing"}
    assert erase_again(database) == 5
    assert prove(database, "acme", erased.share.until).standing == {}
    assert verify(database).findings == []


def test_old_records_that_arrive_for_the_first_time_are_not_lost(land: Land, database: Client) -> None:
    land(*records())
    erase(database, "acme", "why")
    land(usage(by="late", seq=1, tenant="acme"), usage(by="late", seq=2, tenant="beta"), closing(2, by="late"))
    (found,) = [each for each in verify(database).writers if each.writer_id == writer("late")]
    assert (found.state, found.lost_calls) == ("complete", "")


def test_what_is_spent_after_the_erasure_counts(land: Land, database: Client) -> None:
    land(*records())
    erase(database, "acme", "why")
    ((now,),) = database.query("SELECT toUnixTimestamp64Nano(now64(9))").rows
    land(usage(by="new", seq=1, tenant="acme", ts=now + 10**9), closing(1, by="new"))
    assert database.query("SELECT count() FROM usage WHERE tenant_id = 'acme'").rows == [(1,)]
    assert erase_again(database) == 0
    assert verify(database).findings == []


def test_what_is_really_lost_is_still_named(land: Land, database: Client) -> None:
    land(*records(), usage(by="w3", seq=1, tenant="acme"), usage(by="w3", seq=3, tenant="beta"))
    database.command(f"ALTER TABLE usage_ledger DELETE WHERE writer_id = '{writer('w3')}' SETTINGS mutations_sync = 2")
    erase(database, "acme", "why")
    (found,) = [each for each in verify(database).writers if each.writer_id == writer("w3")]
    assert (found.missing, found.lost_calls) == ("2", "1,3")


def test_the_servers_list_of_mutations_does_not_name_the_tenant(land: Land, database: Client) -> None:
    land(usage(seq=1, tenant="zephyr"))
    fill_beside(database, "zephyr")
    erase(database, "zephyr", "why")
    kept = database.query("SELECT command FROM system.mutations WHERE database = currentDatabase()").rows
    assert len(kept) > 5
    assert "zephyr" not in str(kept)
    assert [each["why"] for each in erasures(database)] == ["why"]


def test_an_erasure_that_was_interrupted_is_finished_by_the_next(land: Land, database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    land(*records(), *job("acme"))
    fill_beside(database, "acme")
    real, left = database.command, [0]

    def command(sql: str, parameters: Any = None) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        real(sql, parameters)

    for broken in (2, 4, 5, 7, 9):
        left[0] = broken
        monkeypatch.setattr(database, "command", command)
        with pytest.raises(KeyboardInterrupt):
            erase(database, "acme", "why")
        monkeypatch.undo()
        monkeypatch.setattr("tokentrail.ledger.verify.PATIENCE", 0.001)
        assert [finding for finding in verify(database).findings if "not in the ledger" in finding or "gone" in finding] == []
    assert erase(database, "acme", "why").proof.gone
    assert verify(database).findings == []


def test_the_same_text_elsewhere_is_listed_and_left(land: Land, database: Client) -> None:
    land(usage(seq=1, tenant="test"), usage(seq=2, tenant="beta", more={"metadata": json.dumps({"for": "test", "not": "testing"})}))
    proof = erase(database, "test", "why").proof
    assert proof.gone
    assert proof.mentions["usage_ledger"] == {"metadata": 1, "environment": 1}
    assert database.query("SELECT tenant_id FROM usage").rows == [("beta",)]


def test_the_command_counts_first_and_erases_only_when_told(land: Land, database: Client, dsn: str) -> None:
    land(*records())
    said = {
        words: CliRunner().invoke(cli, ["erase", "--dsn", dsn, *words.split()])
        for words in ("--tenant acme", "--tenant acme --yes", "--tenant acme --list", "", "--tenant=", "--tenant acme --dry-run", "--list")
    }
    assert [each.exit_code for each in said.values()] == [2, 2, 2, 2, 2, 0, 0]
    assert share(database, "acme").rows["usage_ledger"] > 0
    assert "would be erased: 2 usages, 30 tokens" in said["--tenant acme --dry-run"].output
    done = CliRunner().invoke(cli, ["erase", "--dsn", dsn, "--tenant", "acme", "--why", "request 17", "--yes"])
    assert done.exit_code == 0
    assert "no row states the tenant" in done.output
    as_json = CliRunner().invoke(cli, ["erase", "--dsn", dsn, "--tenant", "acme", "--why", "again", "--yes", "--json"])
    assert json.loads(as_json.output)["proof"]["gone"] is True
    assert "request 17" in CliRunner().invoke(cli, ["erase", "--dsn", dsn, "--list"]).output
