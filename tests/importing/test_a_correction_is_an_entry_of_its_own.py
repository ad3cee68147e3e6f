"""`tokentrail reconcile correct`: a reversing entry goes the way of all records, and then report, sums and bill agree; nothing is edited, nothing twice."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Ledger
from tests.support.bills import DAY, MODEL, NOW, calls, invoice, line
from tests.support.live import InPipe
from tests.support.waiting import wait_until
from tokentrail.bills.line import BillLine
from tokentrail.clickhouse.client import connect
from tokentrail.ledger.rollup import refresh
from tokentrail.reconciling.cells import Range
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.rounds import Outcome, reconcile_bill
from tokentrail.reconciling.tolerance import parse

MORE = {"metadata": '{"team": "search"}'}
LINES = (line(5, project="p"), line(1, day=1, project="p"))
SIDES = Sides(project="metadata.team", names={"p": "search"})


def compare(ledger: Ledger, *lines: BillLine) -> Outcome:
    client = connect(ledger.dsn)
    try:
        return reconcile_bill(client, lines, SIDES, parse(""), Range(DAY, DAY + timedelta(days=2)), now=NOW)
    finally:
        client.close()


def reconcile(ledger: Ledger, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokentrail", "reconcile", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=ledger.env() | environment, timeout=120)


@pytest.fixture
def differing(ledger: Ledger) -> dict[str, str]:
    """A ledger with three calls of five on one day, and three of one on the next; the ids of both findings by day."""
    client = connect(ledger.dsn)
    rows: list[Any] = [*calls(3, more=MORE), *calls(3, day=1, first=4, more=MORE)]
    client.insert_json("usage_landing", [row | {"arrived_at": "2026-11-20 00:00:00"} for row in rows])
    refresh(client)
    client.close()
    return {known.finding.place.interval: known.id for known in compare(ledger, *LINES).open}


def test_after_both_corrections_ledger_and_bill_agree(ledger: Ledger, differing: dict[str, str], tmp_path: Path) -> None:
    for finding in differing.values():
        done = reconcile(ledger, "correct", finding, "--why", "no tracking there", "--who", "ada", "--tenant", "search")
        assert done.returncode == 0, done.stderr
        assert "corrected" in done.stdout
    assert ledger.total() == [6, 60, 30]
    assert not compare(ledger, *LINES).open
    rows = ledger.rows(
        "SELECT calls, input_tokens, output_tokens, tenant_id, operation_name, model, corrects_key, key_kind, timed FROM usage "
        "WHERE corrects_key != '' ORDER BY ts"
    )
    first, second = (f"finding:{differing[day]}" for day in ("2026-11-18", "2026-11-19"))
    assert rows == [
        [2, 20, 10, "search", "internal", MODEL, first, "four_part", True],
        [-2, -20, -10, "search", "internal", MODEL, second, "four_part", True],
    ]
    assert ledger.rows("SELECT count() FROM usage_ledger FINAL") == [[8]], "no row was edited, and each entry is one"
    for finding in differing.values():  # once more, and once more from another machine: they are there
        assert reconcile(ledger, "correct", finding, "--why", "again", TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "other")).returncode == 0
    assert ledger.total() == [6, 60, 30]
    assert ledger.verify()[0] == 0
    inside = reconcile(ledger)
    assert inside.returncode == 0, "the journal that has sent both entries, the landing table and the sums agree"
    assert "✓ journal: " in inside.stdout
    report = subprocess.run(
        [sys.executable, "-m", "tokentrail", "report", "--by", "day", "--json"],
        check=True,
        capture_output=True,
        text=True,
        env=ledger.env(),
        timeout=120,
    )
    assert [(row["day"], row["calls"], row["input_tokens"]) for row in json.loads(report.stdout)] == [("2026-11-18", 5, 50), ("2026-11-19", 1, 10)]


def test_an_entry_that_could_not_be_sent_is_sent_by_the_same_command(ledger: Ledger, differing: dict[str, str], tmp_path: Path) -> None:
    finding = differing["2026-11-18"]
    away = {"TOKENTRAIL_ENDPOINT": "http://127.0.0.1:9/v1/logs", "TOKENTRAIL_EXIT_TIMEOUT": "0.2"}
    stopped = reconcile(ledger, "correct", finding, "--why", "x", "--patience", "0.5", **away)
    assert stopped.returncode == 1
    assert "has not acknowledged" in stopped.stderr
    assert [known.state for known in compare(ledger, LINES[0]).known if known.id == finding] == ["corrected"], "its entry is on the way"
    done = reconcile(ledger, "correct", finding, "--why", "y", TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "another"))
    assert done.returncode == 0, done.stderr
    subprocess.run([sys.executable, "-m", "tokentrail", "journal", "ship"], check=False, env=ledger.env(), timeout=120)
    assert ledger.rows("SELECT sum(calls), sum(input_tokens) FROM usage WHERE toDate(ts) = '2026-11-18'") == [[5, 50]]
    assert ledger.verify()[0] == 0


def test_late_records_after_a_correction_open_the_finding_and_a_second_one_takes_back(ledger: Ledger, differing: dict[str, str]) -> None:
    finding = differing["2026-11-18"]
    assert reconcile(ledger, "correct", finding, "--why", "x").returncode == 0
    client = connect(ledger.dsn)
    client.insert_json("usage_landing", calls(2, first=50, more=MORE))
    client.close()
    (known,) = (each for each in compare(ledger, *LINES).open if each.id == finding)
    assert known.why == "the difference is another one since the correction"
    assert reconcile(ledger, "correct", finding, "--why", "they came late").returncode == 0
    assert finding not in {each.id for each in compare(ledger, *LINES).open}
    assert ledger.rows("SELECT sum(calls), sum(input_tokens) FROM usage WHERE toDate(ts) = '2026-11-18'") == [[5, 50]]


def test_a_correction_that_was_taken_back_is_not_made_twice(ledger: Ledger, differing: dict[str, str]) -> None:
    finding = differing["2026-11-18"]
    assert reconcile(ledger, "correct", finding, "--why", "x").returncode == 0
    assert reconcile(ledger, "reopen", finding, "--why", "y").returncode == 0
    refused = reconcile(ledger, "correct", finding, "--why", "z")
    assert (refused.returncode, "nothing was compared since: compare once more first" in refused.stderr) == (2, True)
    assert finding not in {each.id for each in compare(ledger, *LINES).open}, "with the entry nothing differs"
    assert ledger.rows("SELECT sum(calls) FROM usage WHERE toDate(ts) = '2026-11-18'") == [[5]]


def test_a_round_that_waits_for_a_provider_ends_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "k")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = InPipe("reconcile", "--bill", "openai-usage", "--live", "--url", url, "--every", "1h", "--dsn", ledger.dsn)
        connection, _ = silent.accept()  # the provider never answers
        with connection:
            code, said, errors = command.end(signal.SIGTERM)
    assert (code, said, errors) == (0, "", "")


def test_rounds_go_on_whatever_happens_and_end_in_order(ledger: Ledger, tmp_path: Path) -> None:
    file = invoice(tmp_path / "a.csv", 3)
    client = connect(ledger.dsn)
    client.insert_json("usage_landing", calls(3))
    client.close()
    command = InPipe("reconcile", "--bill", "csv", "--file", str(file), "--every", "1s", "--dsn", ledger.dsn)
    wait_until(lambda: "✓ nothing differs, 1 cell" in command.line(), "a round")
    file.write_text("no table\n")
    wait_until(lambda: "✗ failed, and goes on" in command.line(), "a round that fails")
    invoice(file, 4)
    wait_until(lambda: "✗ 1 finding (1 open), 1 cell" in command.line(), "a round with a finding")
    code, _, errors = command.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in errors
    assert ledger.rows("SELECT count() FROM findings") == [[1]], "the rounds that saw it again have written nothing"
