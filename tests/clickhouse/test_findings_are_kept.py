"""Findings are kept by adding rows alone: a history that two processes at once neither double nor lose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.bills import MODEL, NOW, calls, line
from tests.support.journal import append, shipper, writer
from tests.support.ledger_rows import Land, claimed, closing, recorded, usage
from tests.support.ledger_rows import writer as ledger_writer
from tests.support.otlp_receiver import Otlp
from tests.support.terminal import Ran, in_process
from tokentrail import semconv
from tokentrail.bills.line import BillLine
from tokentrail.clickhouse.client import Client, connect
from tokentrail.ledger.query import answer
from tokentrail.ledger.verify import verify
from tokentrail.reconciling.cells import Range
from tokentrail.reconciling.correction import entry_of
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.explain import explain
from tokentrail.reconciling.rounds import Outcome, reconcile_bill, reconcile_inside
from tokentrail.reconciling.states import Known
from tokentrail.reconciling.store import decide, history, known_findings, save
from tokentrail.reconciling.tolerance import parse

Compare = Callable[..., Outcome]


def compare(client: Client, *lines: BillLine) -> Outcome:
    return reconcile_bill(client, lines, Sides(), parse(""), Range(), now=NOW)


def states(client: Client, finding: str) -> list[str]:
    return [known.state for known in history(client, finding)]


def test_a_finding_has_its_history(database: Client, land: Land, dsn: str) -> None:
    def run(*arguments: str) -> Ran:
        return in_process("reconcile", *arguments, "--dsn", dsn)

    land(*calls(3))
    (known,) = compare(database, line(5)).open
    assert compare(database, line(5)).written == 0
    before = known_findings(database)[known.id]
    assert before.finding.figures == known.finding.figures
    assert before.finding.place == known.finding.place
    assert run("findings").code == 1
    done = run("explain", known.id[:4], "--why", "a laptop", "--who", "ada")
    assert (done.code, "explained" in done.out) == (0, True)
    assert not compare(database, line(5)).open
    assert run("findings").code == 0
    land(*calls(1, first=50))
    (again,) = compare(database, line(5)).open
    assert again.why == "the difference has changed since it was explained by ada: a laptop"
    land(*calls(1, first=60))
    assert [each.state for each in compare(database, line(5)).known] == ["gone"]
    assert not compare(database, line(5)).known
    assert states(database, known.id) == ["open", "explained", "open", "gone"]
    shown = run("show", known.id)
    assert shown.code == 0
    assert shown.out.count("version ") == 4
    assert [row[0] for row in database.query("SELECT count() FROM findings").rows] == [4]
    refused = run("correct", known.id, "--why", "x")
    assert (refused.code, refused.err.strip()) == (
        2,
        f"Error: finding {known.id} is gone: its difference has vanished, and there is nothing to correct.",
    )


def test_two_processes_at_once_double_nothing_and_a_person_decides(database: Client, land: Land, dsn: str) -> None:
    land(*calls(3))
    (known,) = compare(database, line(5)).open
    save(database, {}, [known])  # what a second process writes that has looked at the same moment
    assert states(database, known.id) == ["open"]
    changed = known.becomes("open", "another figure")
    save(database, {}, [changed])
    decided = decide(database, known, lambda now: replace(now, state="explained", who="ada", why="so"))
    assert decided.version == 2, "the person's row counts, though the round was quicker"
    assert states(database, known.id) == ["open", "explained"]
    several = [threading.Thread(target=_explain, args=(dsn, decided, name)) for name in ("ben", "cleo", "dan")]
    for each in several:
        each.start()
    for each in several:
        each.join()
    told = history(database, known.id)
    assert {each.who for each in told[2:]} == {"ben", "cleo", "dan"}, "each is there, one after the other"
    assert [each.version for each in told] == [1, 2, 3, 4, 5]


def test_a_decision_holds_upon_what_a_round_has_made_of_the_state_before(database: Client, land: Land) -> None:
    """A round has read the state before the person's, and writes the one after it: the decision is made once more, upon that one."""
    land(*calls(3))
    (known,) = compare(database, line(5)).open
    save(database, {}, [replace(known.becomes("open", "changed"), version=3)])
    decided = decide(database, known, lambda now: replace(now, state="explained", who="ada", why="so"))
    assert (decided.version, known_findings(database)[known.id].state) == (4, "explained")


def test_a_correction_that_arrives_during_a_round_is_not_opened_by_it(database: Client, land: Land) -> None:
    """The round has looked at the ledger before; the next one sees the entry, and that nothing differs."""
    land(*calls(3))
    (known,) = compare(database, line(5)).open

    entry = entry_of(known.finding, 2, tenant="acme", why="x")

    def corrects(*given: Any, **named: Any) -> Any:
        found = explain(*given, **named)
        decide(database, known, lambda now: replace(now, state="corrected", who="ada", why="x", entry=entry.text))
        land(recorded(entry.usage, by="w9", seq=1))
        return found

    with mock.patch("tokentrail.reconciling.rounds.explain", corrects):
        compare(database, line(5))
    assert known_findings(database)[known.id].state == "corrected"
    assert not compare(database, line(5)).open


def _explain(dsn: str, known: Known, name: str) -> None:
    client = connect(dsn)
    try:
        decide(client, known, lambda now: replace(now, who=name))
    finally:
        client.close()


def test_the_ways_inside_are_compared(database: Client, land: Land, tmp_path: Path) -> None:
    def look() -> Outcome:
        return reconcile_inside(database, tmp_path / "journal", parse(""), now=NOW)

    land(*(row | {"arrived_at": "2026-11-18 12:00:00"} for row in (usage(seq=1), usage(seq=2), closing(2))))
    assert not look().known
    database.command("DELETE FROM usage_ledger WHERE seq = 2")
    outcome = look()
    assert [known.finding.place.subject.split(" ", 2)[2] for known in outcome.open] == ["lost calls"]
    land(usage(seq=2))
    assert [known.state for known in look().known] == ["gone"]
    assert not look().known


def test_records_that_only_the_landing_table_has_are_named(database: Client, land: Land, tmp_path: Path) -> None:
    """Rows of which ledger and deliveries both know nothing: what a view that was dropped for an hour leaves behind."""
    hour_ago = database.query("SELECT toString(now64(3, 'UTC') - toIntervalHour(1))").rows[0][0]
    land(
        *(usage(seq=number) | {"arrived_at": hour_ago} for number in range(1, 8)),
        usage(seq=1, by="w2", kind="opaque", key="k") | {"arrived_at": hour_ago},
    )
    assert not reconcile_inside(database, tmp_path, parse("")).open
    database.command("TRUNCATE TABLE usage_ledger")
    database.command("TRUNCATE TABLE deliveries")
    database.command("TRUNCATE TABLE key_conflicts")
    outcome = reconcile_inside(database, tmp_path, parse(""))
    assert {(known.finding.place.source, known.finding.explanations[0]) for known in outcome.open} == {
        ("landing", "7 records of shop arrived, in neither ledger nor quarantine: numbers 1, 2, 3, 4, 5"),
        ("landing", "1 record of shop arrived, in neither ledger nor quarantine: numbers 1"),
    }


@pytest.mark.parametrize(("tokens", "differs"), [(30, False), (25, False), (31, True)])
def test_counters_never_have_more_than_the_ledger(database: Client, land: Land, tmp_path: Path, tokens: int, differs: bool) -> None:
    land(*calls(3, day=9))
    moments = ("2026-11-27 11:59:00", "2026-11-27 12:10:00")
    database.insert_json(
        "otel_metrics_sum",
        [
            {
                "ServiceName": "shop",
                "ScopeName": "tokentrail",
                "MetricName": "gen_ai.client.inference.usage.input_tokens",
                "Attributes": {},
                "StartTimeUnix": moments[0],
                "TimeUnix": moment,
                "Value": value,
                "AggregationTemporality": 2,
                "IsMonotonic": True,
            }
            for moment, value in zip(moments, (0, tokens), strict=True)
        ],
    )
    outcome = reconcile_inside(database, tmp_path, parse(""), now=NOW)
    assert [known.finding.place.subject for known in outcome.open] == ["service shop"] * differs
    if differs:
        (figure,) = outcome.open[0].finding.figures
        assert (figure.stated, figure.counted) == (Decimal(31), Decimal(30))


def test_records_that_somebody_else_has_acknowledged_are_named(database: Client, tmp_path: Path) -> None:
    """A Collector that writes to another database: it acknowledges, and this ledger has heard of nobody."""
    root = tmp_path / "journal"
    with Otlp() as elsewhere:
        living = writer(root)
        append(living, 3)
        waiting = reconcile_inside(database, root, parse(""), now=NOW)
        assert not waiting.open
        assert waiting.checks[0].sentence == "1 writer on this machine, 3 records on the way"
        shipper(root, elsewhere).ship_folder(root / living.writer_id, live=True)
        (known,) = reconcile_inside(database, root, parse(""), now=NOW).open
        living.release()
    assert known.finding.place.subject == f"writer {living.writer_id} unheard"
    assert known.finding.explanations[0].startswith("numbers 1-3 of under-test were acknowledged, and ClickHouse has not heard of this writer")


def test_the_last_records_that_were_acknowledged_and_lost_are_named(database: Client, land: Land, tmp_path: Path) -> None:
    """Above the highest number that has arrived there is no gap by which `verify` would know."""
    root = tmp_path / "journal"
    with Otlp() as collector:
        living = writer(root)
        append(living, 5)
        shipper(root, collector).ship_folder(root / living.writer_id, live=True)
        land(*(usage(seq=number, attributes={semconv.WRITER_ID: living.writer_id}) for number in (1, 2, 3)))
        (known,) = reconcile_inside(database, root, parse(""), now=NOW).open
        assert known.finding.explanations[0].startswith("numbers 4-5 of under-test were acknowledged, and ClickHouse has not heard of them")
        land(*(usage(seq=number, attributes={semconv.WRITER_ID: living.writer_id}) for number in (4, 5)))
        assert [known.state for known in reconcile_inside(database, root, parse(""), now=NOW).known] == ["gone"]
        living.release()


def test_whatever_verify_finds_is_a_finding(database: Client, land: Land, tmp_path: Path) -> None:
    def found() -> set[str]:
        subjects = {known.finding.place.subject for known in reconcile_inside(database, tmp_path, parse("")).open}
        assert len(subjects) == len(verify(database).findings)
        return subjects

    by, of_key = ledger_writer("w1"), ledger_writer("w2")
    land(*(usage(seq=number) for number in (1, 2)), claimed("k", by="w2"), usage(by="w3", input_tokens="much"))
    waits = f"quarantine {verify(database).quarantine[0]['reason']}"
    assert found() == {waits}
    database.command(f"ALTER TABLE usage_ledger UPDATE input_tokens = 99 WHERE seq = 2 OR writer_id = '{of_key}' SETTINGS mutations_sync = 2")
    row = f"(SELECT * FROM usage_ledger WHERE seq = 1 AND writer_id = '{by}')"
    database.command(f"INSERT INTO usage_ledger SELECT * REPLACE (9 AS seq, 9 AS call, key_hash + 1 AS key_hash) FROM {row}")
    assert found() == {waits, f"writer {by} altered", f"writer {by} added", f"writer {of_key} altered", "key k unstated"}
    database.command("TRUNCATE TABLE deliveries")
    assert f"writer {by} never heard" in found()


def test_findings_are_a_question_too(database: Client, land: Land) -> None:
    land(*calls(3))
    first = compare(database, line(5), line(cost="0.5", source="openai-cost", day=2, model="", project="p")).open
    by_source = {known.finding.place.source: known for known in first}
    decide(database, by_source["openai-usage"], lambda now: replace(now, state="explained", who="ada", why="a laptop"))
    told = [tuple(row[name] for name in ("state", "interval", "place", "differences", "who", "id")) for row in answer(database, "findings").dicts()]
    charge, usages = by_source["openai-cost"].id, by_source["openai-usage"].id
    assert told == [
        ("open", "2026-11-20", "openai (no model)", "USD +0.5", "tokentrail reconcile", charge),
        ("explained", "2026-11-18", f"openai {MODEL}", "input tokens +20, output tokens +10, requests +2", "ada", usages),
    ]
    compare(database, line(3))
    assert [row["id"] for row in answer(database, "findings").dicts()] == [charge]
    assert [row["state"] for row in answer(database, "findings", {"states": []}).dicts()] == ["open", "gone"]
