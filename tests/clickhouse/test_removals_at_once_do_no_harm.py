"""Removals run at once, beside `verify` and a rollup, and are killed anywhere: none of it alarms, and none removes or leaves what it should not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, claimed, closing, usage
from tokentrail.clickhouse.client import Client, connect
from tokentrail.ledger import removal, rollup
from tokentrail.ledger.erasure import Erased, erase
from tokentrail.ledger.query import answer, run
from tokentrail.ledger.report import report
from tokentrail.ledger.retention import Rule, enforce, set_rule
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify

TENANTS = ("acme", "beta", "gamma")
DEADLINE = 60.0


def records() -> list[Row]:
    rows = [claimed(f"key of {tenant}", by=tenant, seq=1, tenant=tenant) for tenant in TENANTS]
    rows += [usage(by=tenant, seq=2, tenant=tenant, ts=START_NS) for tenant in TENANTS]
    rows += [closing(2, by=tenant) for tenant in TENANTS]
    return [row | {"arrived_at": "2026-11-19 00:00:00"} for row in rows]  # long ago: so that sums by day are built at once


def alarms(client: Client) -> list[Any]:
    return [*verify(client).findings, *answer(client, "condition_reconciliation").rows]


def test_two_erasures_leave_each_other_their_keys(land: Land, database: Client, dsn: str) -> None:
    land(*records())
    begun, ended = threading.Event(), threading.Event()
    other = connect(dsn)
    done: list[Erased] = []

    def wait(table: str) -> None:
        if table == "key_conflicts":
            begun.set()  # its keys are stored, and what was said for them stands
            assert ended.wait(DEADLINE)

    second = threading.Thread(target=lambda: done.append(erase(other, "beta", "why", began=wait)))

    def start(table: str) -> None:
        if table == "usage_ledger" and not begun.is_set():
            second.start()
            assert begun.wait(DEADLINE)

    first = erase(database, "acme", "why", began=start)
    ended.set()
    second.join(DEADLINE)
    other.close()
    assert first.proof.gone
    assert done[0].proof.gone
    assert alarms(database) == []
    assert database.query("SELECT tenant_id, sum(calls) FROM usage GROUP BY tenant_id").rows == [("gamma", 2)]
    assert database.query("SELECT count() FROM removing_keys").rows == [(0,)]


def test_keys_of_a_killed_removal_are_not_removed_by_another(land: Land, database: Client) -> None:
    """A removal was killed after its rows were gone; its tenant claims the same key anew, and counts."""
    land(*records())
    real = removal.run

    def killed(client: Client, name: str, *given: Any) -> None:
        if name == "removal_end":
            raise KeyboardInterrupt
        real(client, name, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(database, "acme", "why")
    ((now,),) = database.query("SELECT toUnixTimestamp64Nano(now64(9))").rows
    land(claimed("key of acme", by="anew", seq=1, tenant="acme", ts=now + 10**9), closing(1, by="anew"))
    erase(database, "beta", "why")
    assert database.query("SELECT count() FROM usage WHERE tenant_id = 'acme'").rows == [(1,)]
    assert alarms(database) == []


def retire(client: Client, began: Callable[[str], None]) -> None:
    enforce(client, began=began)


def forget(client: Client, began: Callable[[str], None]) -> None:
    erase(client, "acme", "why", began=began)


@pytest.mark.parametrize("remove", [retire, forget])
def test_no_moment_of_a_removal_alarms(land: Land, database: Client, remove: Callable[[Client, Callable[[str], None]], None]) -> None:
    land(*records())
    set_rule(database, Rule("acme", 1, keep_sums=False))
    refresh(database)
    assert database.query("SELECT sum(calls) FROM usage_daily").rows == [(3,)]
    found: dict[str, Any] = {}

    def look(table: str) -> None:
        found[table] = (alarms(database), report(database, [])[0]["calls"] - database.query("SELECT sum(calls) FROM usage").rows[0][0])

    remove(database, look)
    assert found.keys() >= {"key_conflicts", "usage_ledger", "usage_days"}
    assert found == dict.fromkeys(found, ([], 0))
    look("afterwards")
    assert found["afterwards"] == ([], 0)


@pytest.mark.parametrize("stopped", ["key_conflicts", "usage_ledger"])
def test_a_removal_that_was_killed_alarms_nobody_until_the_next_one_finishes_it(land: Land, database: Client, stopped: str) -> None:
    land(*records())

    def kill(table: str) -> None:
        if table == stopped:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(database, "beta", "why", began=kill)
    assert alarms(database) == []
    assert erase(database, "beta", "why").proof.gone
    assert alarms(database) == []


def test_a_rollup_beside_a_removal_counts_nothing_of_it(land: Land, database: Client) -> None:
    """A rollup has read the ledger before the rows went, and stores and publishes the day's first sums after they are gone."""
    land(*records())
    late: list[Callable[[], None]] = []

    def insert_later(client: Client, name: str, *given: Any) -> None:
        if name == "days_publish" and given[0].get("build"):
            late.append(lambda: run(client, name, *given))
        else:
            run(client, name, *given)

    def build(table: str) -> None:
        if table == "usage_ledger" and not late:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(rollup, "run", insert_later)
                refresh(database)
            rows = database.query("SELECT * FROM usage_days").dicts()
            assert sum(row["calls"] for row in rows) == 3
            database.command("TRUNCATE TABLE usage_days")
            late.insert(0, lambda: database.insert_json("usage_days", rows))

    erase(database, "acme", "why", began=build)
    for insert in late:
        insert()
    assert report(database, [])[0]["calls"] == 4
    assert alarms(database) == []
