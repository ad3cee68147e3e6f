"""Sums by day say what the ledger says, whatever arrives after they were built, and however the building ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger_rows import Land, Row, claimed, usage, with_body
from tests.support.terminal import in_process
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.errors import ClickHouseError
from tokentrail.clickhouse.rows import Result
from tokentrail.ledger import rollup
from tokentrail.ledger.query import answer
from tokentrail.ledger.report import ask, days_from_sums
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify
from tokentrail.pages.documents import report
from tokentrail.pages.facts import Wanted, collect
from tokentrail.pages.selection import Selection
from tokentrail.prices.price import Price, PriceList
from tokentrail.prices.store import load

SECOND = 10**9
FIRST = 1_793_750_400 * SECOND  # 2026-11-04 00:00 UTC
DAY = 86_400 * SECOND


def ago(**time: float) -> str:
    return f"{datetime.now(timezone.utc) - timedelta(**time):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def long_ago(*rows: Row) -> list[Row]:
    return [row | {"arrived_at": "2026-11-12 00:00:00"} for row in rows]


def five_days(**more: Any) -> list[Row]:
    """Three calls a day, at midnight, in the morning and in the last second of the day."""
    moments = [FIRST + day * DAY + offset for day in range(5) for offset in (0, 30_000 * SECOND, DAY - SECOND)]
    return [usage(seq=number, ts=ts, tenant=f"t{number % 2}", **more) for number, ts in enumerate(moments, 1)]


def by_day(client: Client) -> list[list[Any]]:
    return answer(client, "tokens_over_time", {"step": "day"}).rows


def by_ledger(client: Client) -> list[list[Any]]:
    """The same, asked for in a zone that is UTC and is not named so: there are no sums for it."""
    return answer(client, "tokens_over_time", {"step": "day", "timezone": "Etc/UTC"}).rows


def tokens_of(client: Client, **parameters: Any) -> int:
    return sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in answer(client, "tokens", {"by": "model", **parameters}).dicts())


def fresh(client: Client) -> list[str]:
    return [str(day) for (day,) in client.query("SELECT day FROM usage_fresh_days ORDER BY day").rows]


ALL = [f"2026-11-0{day}" for day in range(4, 9)]


def test_built_days_are_read_from_their_sums(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    before = by_day(database)
    assert [str(day) for day in refresh(database).built] == ALL == fresh(database)
    assert by_day(database) == by_ledger(database) == before
    database.command(
        "INSERT INTO usage_days SELECT * REPLACE (1000000 AS input_tokens, 0 AS output_tokens) FROM usage_days WHERE day = '2026-11-05' LIMIT 1"
    )
    assert tokens_of(database) == 15 * 15 + 1_000_000
    assert refresh(database) == rollup.Refreshed([], [], [])


def test_a_question_names_the_days(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    land(usage(seq=99, ts=FIRST + DAY + 7))
    asked = answer(database, "rollup", {"from": "2026-11-05 00:00:00", "to": "2026-11-08 00:00:00"}).dicts()
    assert [(str(row["day"]), row["is_priced"], row["calls"], row["tokens"]) for row in asked] == [(day, True, 3, 45) for day in (ALL[3], ALL[2])]
    load(database, price("2"))
    assert [row["is_priced"] for row in answer(database, "rollup").dicts()] == [False] * 4


REPORTS: dict[str, dict[str, Any]] = {
    "by everything that days have": {"by": ["provider", "model", "tenant_id", "source", "ended", "stream", "day"]},
    "by week and month": {"by": ["month", "week"]},
    "with costs": {"by": ["tenant_id"], "cost": True},
    "of one endpoint": {"by": ["day"], "parameters": {"where": ["endpoint=chat", "tenant_id=t1"]}},
    "in part": {"by": ["day"], "parameters": {"from": "2026-11-04 08:00:00", "to": "2026-11-08 23:59:59"}},
}


@pytest.mark.parametrize("asked", REPORTS)
def test_reports_are_those_of_the_ledger_and_say_how_many_days_are_summed(asked: str, database: Client, land: Land) -> None:
    load(database, price("2"))
    land(*long_ago(*five_days()))
    refresh(database)
    land(usage(seq=99, ts=FIRST + DAY + 7))
    by, cost, given = REPORTS[asked]["by"], REPORTS[asked].get("cost", False), REPORTS[asked].get("parameters", {})
    assert ask(database, by, given, cost=cost).dicts() == ask(database, by, given | {"timezone": "Etc/UTC"}, cost=cost).dicts()
    assert days_from_sums(database, by, given, cost=cost) == (2 if asked == "in part" else 4)
    assert days_from_sums(database, by, given | {"timezone": "Etc/UTC"}, cost=cost) == 0


@pytest.mark.parametrize("asked", REPORTS)
def test_reports_of_summed_days_alone_are_those_of_the_ledger(asked: str, database: Client, land: Land) -> None:
    load(database, price("2"))
    land(*long_ago(*five_days()))
    refresh(database)
    by, cost, given = REPORTS[asked]["by"], REPORTS[asked].get("cost", False), REPORTS[asked].get("parameters", {})
    rows = ask(database, by, given, cost=cost).dicts()
    assert rows == ask(database, by, given | {"timezone": "Etc/UTC"}, cost=cost).dicts()
    database.command("ALTER TABLE usage_days UPDATE input_tokens = 0, input_cost = 0 WHERE day = '2026-11-05' SETTINGS mutations_sync = 2")
    assert ask(database, by, given, cost=cost).dicts() != rows, "the sums are read"


OTHERS: dict[str, tuple[Callable[[], Row], bool]] = {
    "a call on a day without sums": (lambda: usage(seq=99, ts=FIRST + 6 * DAY), True),
    "a key without a time": (lambda: claimed("an opaque key", ts=FIRST + DAY + 11, seq=97), True),
    "a key without a time, of another month": (lambda: claimed("an opaque key", ts=FIRST - 40 * DAY, seq=97), False),
    "a call of another month": (lambda: usage(seq=99, ts=FIRST - 40 * DAY), False),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_the_sums_do_not_have_is_read_from_the_ledger_too(other: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    make, counts = OTHERS[other]
    land(make() | {"arrived_at": "2026-11-12 00:00:00"})
    bounds = {"from": "2026-11-04 00:00:00", "to": "2026-11-14 00:00:00"}
    (row,) = ask(database, [], bounds).dicts()
    assert row["calls"] == 15 + counts
    assert row == ask(database, [], bounds | {"timezone": "Etc/UTC"}).dicts()[0]


@pytest.mark.parametrize("by", ["hour", "operation_id", "writer_id", "metadata.team"])
def test_reports_by_what_days_do_not_have_are_read_from_the_ledger(by: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days(more={"operation_id": "op-1", "metadata": '{"team": "search"}'})))
    refresh(database)
    rows = ask(database, [by], {}).dicts()
    assert (sum(row["calls"] for row in rows), len(rows)) == (15, 15 if by == "hour" else 1)
    assert rows[0][by] != ""
    assert days_from_sums(database, [by], {}) == 0
    chosen = {} if by == "hour" else {"where": [f"{by}={rows[0][by]}"]}
    assert sum(row["calls"] for row in ask(database, ["day"], chosen).dicts()) == 15
    assert (days_from_sums(database, ["day"], chosen) == 0) is bool(chosen)


def test_days_that_are_asked_for_in_part_are_read_from_the_ledger(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    bounds = {"from": "2026-11-04 08:00:00", "to": "2026-11-08 23:59:59"}
    assert tokens_of(database, **bounds) == 15 * 13
    assert tokens_of(database, **(bounds | {"to": "2026-11-08 00:00:00"})) == 15 * 11
    assert tokens_of(database, **(bounds | {"from": "2026-11-04 00:00:00.000000001"})) == 15 * 13


PERIODS = {
    "within days": ("2026-11-04 09:00:00", "2026-11-06 08:00:00", "2026-11-06 12:00:00", "2026-11-08 09:00:00"),
    "at midnight": ("2026-11-04 00:00:00", "2026-11-06 00:00:00", "2026-11-06 00:00:00", "2026-11-08 00:00:00"),
}


@pytest.mark.parametrize("bounds", PERIODS)
def test_two_periods_at_once_have_the_numbers_of_each(bounds: str, database: Client, land: Land) -> None:
    """Also where a day belongs to both, or one moment of it to neither."""
    load(database, price("2"))
    land(*long_ago(*five_days()))
    refresh(database)
    begin, until, since, end = PERIODS[bounds]
    given = {"from": begin, "until": until, "since": since, "to": end, "cuts": [until, since], "dimensions": ["tenant_id", "model"]}
    rows = answer(database, "overview", given).dicts()
    for period, start, stop in (("before", begin, until), ("now", since, end)):
        for dimension in ("total", "tenant_id", "model"):
            found = [row for row in rows if (row["period"], row["dimension"]) == (period, dimension)]
            asked = {"by": dimension, "from": start, "to": stop}
            costs = {row["name"]: (row["calls"], row["cost"], row["unpriced_calls"]) for row in answer(database, "cost", asked).dicts()}
            assert {row["name"]: (row["calls"], row["cost"], row["unpriced_calls"]) for row in found} == costs
            tokens = {row["name"]: row for row in answer(database, "tokens", asked).dicts()}
            assert tokens
            for row in found:
                assert row | tokens[row["name"]] == row | {"share": tokens[row["name"]]["share"]}


def test_pages_have_the_same_numbers_and_say_how_many_days_are_summed(database: Client, land: Land) -> None:
    load(database, price("2"))
    land(*long_ago(*five_days()))
    selection, now = Selection("2026-11-04 08:00:00.000000", "2026-11-08 00:00:00.000000"), datetime(2026, 11, 9, tzinfo=timezone.utc)
    before = collect(database, selection, now, Wanted.REPORT)
    refresh(database)
    after = collect(database, selection, now, Wanted.REPORT)
    assert before.parts is not None
    assert after.parts is not None
    assert (before.parts.summed_days, after.parts.summed_days) == (0, 3)
    assert after == replace(before, parts=replace(before.parts, summed_days=3))
    assert "Every call was read by itself." in report(before, verify(database))
    assert "3 whole days of the range and their costs were read from sums by day" in report(after, verify(database))


ARRIVALS: dict[str, Callable[[], Row]] = {
    "a late call": lambda: usage(seq=99, ts=FIRST + DAY + 7),
    "a copy": lambda: five_days()[4],
    "the completion of a call": lambda: with_body(five_days()[4], input_tokens=1000, input_source="reported", output_source="reported"),
    "a correction": lambda: usage(seq=98, ts=FIRST + DAY + 9, input_tokens=-3, output_tokens=0, more={"calls": -1, "corrects_key": "k"}),
    "a call without a time in its key": lambda: claimed("an opaque key", ts=FIRST + DAY + 11, seq=97),
}


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_whatever_arrives_later_counts_at_once(arrival: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days(source="estimated")))
    refresh(database)
    before = by_day(database)
    land(ARRIVALS[arrival]())
    assert by_day(database) == by_ledger(database)
    assert (by_day(database) == before) is (arrival == "a copy")
    timed = arrival != "a call without a time in its key"
    assert fresh(database) == [day for day in ALL if not (timed and day == "2026-11-05")]
    assert [str(day) for day in refresh(database).open] == (["2026-11-05"] if timed else [])
    assert by_day(database) == by_ledger(database)


def test_a_changed_day_is_built_again_once_it_is_quiet(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    database.command(f"INSERT INTO usage_day_builds SELECT * REPLACE ('{ago(hours=9)}' AS built_at) FROM usage_day_builds")
    database.command(f"ALTER TABLE usage_day_builds DELETE WHERE built_at > '{ago(hours=8)}' SETTINGS mutations_sync = 2")
    assert fresh(database) == ALL
    land(usage(seq=99, ts=FIRST + DAY + 7) | {"arrived_at": ago(minutes=90)})
    assert fresh(database) == [ALL[0], *ALL[2:]]
    assert by_day(database) == by_ledger(database)
    assert [str(day) for day in refresh(database).built] == [ALL[1]]
    assert fresh(database) == ALL
    assert by_day(database) == by_ledger(database)


def test_an_insert_that_is_seen_after_a_build_and_states_a_moment_before_it_counts(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    land(usage(seq=99, ts=FIRST + DAY + 7) | {"arrived_at": ago(minutes=50)})
    assert by_day(database) == by_ledger(database)
    refresh(database)
    assert fresh(database) == [ALL[0], *ALL[2:]]


def test_a_day_for_which_something_has_just_arrived_stays_open(database: Client, land: Land) -> None:
    land(*five_days())
    refreshed = refresh(database)
    assert refreshed.built == []
    assert [str(day) for day in refreshed.open] == ALL
    assert database.query("SELECT count() FROM usage_days").rows == [(0,)]


def price(per_million: str) -> PriceList:
    one = Price(provider="openai", model="gpt-4o-mini", patterns=("gpt-4o-mini.*",), rates={"input": [(0, Decimal(per_million))]})
    return PriceList("own", (one,))


def test_costs_follow_the_prices_at_once(database: Client, land: Land) -> None:
    def costs() -> list[dict[str, Any]]:
        return answer(database, "cost", {"by": "model"}).dicts()

    land(*long_ago(*five_days()))
    load(database, price("2"))
    refresh(database)
    assert [row["cost"] for row in costs()] == [Decimal("0.0003")]
    load(database, price("4"))
    assert [row["cost"] for row in costs()] == [Decimal("0.0006")]
    assert by_day(database) == by_ledger(database)
    assert len(refresh(database).built) == len(ALL)
    assert [row["cost"] for row in costs()] == [Decimal("0.0006")]


def test_a_build_that_was_interrupted_counts_for_nothing(database: Client, land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    land(*long_ago(*five_days()))
    run = rollup.run

    def breaks(client: Client, name: str, given: Any) -> None:
        if name == "days_publish":
            raise ClickHouseError("the connection broke")
        run(client, name, given)

    monkeypatch.setattr(rollup, "run", breaks)
    with pytest.raises(ClickHouseError):
        refresh(database)
    monkeypatch.undo()
    assert database.query("SELECT count() > 0 FROM usage_days").rows == [(True,)]
    assert fresh(database) == []
    assert by_day(database) == by_ledger(database)
    assert len(refresh(database).built) == len(ALL)
    assert by_day(database) == by_ledger(database)


def test_a_build_that_took_too_long_counts_for_nothing_and_is_made_again(database: Client, land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions look back an hour before the last check: an insert at the beginning of a longer build could be missed."""
    land(*long_ago(*five_days()))
    passed = timedelta()

    def slowly(client: Client, name: str, *given: Any) -> Result:
        nonlocal passed
        found = answer(client, name, *given)
        if name != "days_moment":
            return found
        ((moment, prices),) = found.rows
        passed += timedelta(minutes=31)
        return Result(found.columns, [[str(datetime.fromisoformat(str(moment)) + passed), prices]], found.types)

    with monkeypatch.context() as patched:
        patched.setattr(rollup, "answer", slowly)
        refreshed = refresh(database)
    assert ([str(day) for day in refreshed.late], refreshed.built) == (ALL, [])
    assert fresh(database) == []
    assert [str(day) for day in refresh(database).built] == ALL == fresh(database)
    assert by_day(database) == by_ledger(database)


def test_two_refreshes_at_once_count_every_day_once(dsn: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    before = by_day(database)

    def work() -> None:
        client = connect(dsn)
        refresh(client, every=True)
        client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh(database) == ALL
    assert by_day(database) == before


def test_sums_of_former_builds_are_deleted_a_day_later(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    refresh(database, every=True)
    assert database.query("SELECT uniqExact(build) FROM usage_days").rows == [(2,)]
    database.command("INSERT INTO usage_days SELECT * REPLACE (1 AS build) FROM usage_days")
    refresh(database)
    wait_until(
        lambda: database.query("SELECT count() FROM system.mutations WHERE NOT is_done AND database = currentDatabase()").rows == [(0,)],
        "the deletion",
    )
    assert database.query("SELECT countIf(build = 1), uniqExact(build) FROM usage_days").rows == [(0, 2)]
    assert by_day(database) == by_ledger(database)


def test_sums_of_other_definitions_count_for_nothing(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    database.command(
        "INSERT INTO usage_day_builds SELECT * REPLACE (definition + 1 AS definition, built_at + toIntervalMillisecond(1) AS built_at) FROM usage_day_builds"
    )
    assert fresh(database) == []
    assert len(refresh(database).built) == len(ALL)
    assert fresh(database) == ALL


def test_a_dropped_month_has_no_sums(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    database.command("ALTER TABLE usage_ledger DROP PARTITION 202611")
    refresh(database)
    assert fresh(database) == []
    assert by_day(database) == []


def test_verify_names_days_that_were_changed_by_hand(database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    assert not [finding for finding in verify(database).findings if "sums" in finding]
    database.command("ALTER TABLE usage_ledger DELETE WHERE toDate(key_ts) = '2026-11-06' SETTINGS mutations_sync = 2")
    found = [finding for finding in verify(database).findings if "sums" in finding]
    assert found == ["the sums of 2026-11-06 are not those of the ledger: tokentrail rollup --rebuild"]
    refresh(database, every=True)
    assert not [finding for finding in verify(database).findings if "sums" in finding]
    assert by_day(database) == by_ledger(database)


@pytest.mark.parametrize("changed", ["input_tokens = input_tokens + 1", "calls = calls + 1"])
def test_verify_names_days_whose_sums_were_changed_by_hand(changed: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    database.command(f"ALTER TABLE usage_days UPDATE {changed} WHERE day = '2026-11-06' SETTINGS mutations_sync = 2")
    found = [finding for finding in verify(database).findings if "sums" in finding]
    assert found == ["the sums of 2026-11-06 are not those of the ledger: tokentrail rollup --rebuild"]


def test_a_report_for_people_says_how_many_days_are_summed(dsn: str, database: Client, land: Land) -> None:
    land(*long_ago(*five_days()))
    refresh(database)
    said = "5 days from the sums by day (tokentrail rollup), the rest from the ledger"
    assert said in in_process("report", "--by", "tenant_id", "--dsn", dsn).err
    assert "sums by day" not in in_process("report", "--by", "tenant_id,hour", "--dsn", dsn).err
    assert in_process("report", "--by", "tenant_id", "--json", "--dsn", dsn).err == ""
