"""`tokentrail reconcile`: exit codes to rely on, JSON for programs, misuse is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.bills import MODEL, calls, invoice
from tests.support.ledger_rows import Land
from tests.support.report_server import KEY, ReportServer
from tests.support.terminal import Ran, assert_one_sentence, in_process
from tokentrail.cli.comparison import Asked
from tokentrail.clickhouse.client import Client
from tokentrail.reconciling.tolerance import parse

Run = Callable[..., Ran]


@pytest.fixture
def run(dsn: str, database: Client, tmp_path: Path) -> Run:
    def reconcile(*arguments: str, **environment: str) -> Ran:
        assert database.database
        return in_process("reconcile", *arguments, "--dsn", dsn, TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "journal"), **environment)

    return reconcile


def test_exit_codes_say_whether_a_finding_is_open(run: Run, land: Land, tmp_path: Path) -> None:
    land(*calls(3), *calls(2, day=1, first=10))
    agreeing = run("--bill", "csv", "--file", str(invoice(tmp_path / "a.csv", 3, 2)))
    assert (agreeing.code, agreeing.out.strip().splitlines()[-1]) == (0, "✓ nothing differs, 2 cells")
    arguments = ("--bill", "csv", "--file", str(invoice(tmp_path / "b.csv", 3, 4)))
    differing = run(*arguments)
    assert differing.code == 1
    assert f"open  2026-11-19 openai {MODEL}  (csv)" in differing.out
    assert "input tokens: 40 stated, 20 in the ledger (+20)" in differing.out
    asked = run(*arguments, "--json")
    found = json.loads(asked.out)
    assert (asked.code, found["ok"], found["cells"]) == (1, False, 2)
    (finding,) = found["findings"]
    assert finding["id"] in differing.out
    assert finding["figures"][0] == {"measure": "input_tokens", "stated": "40", "ledger": "20", "difference": "20"}
    assert run(*arguments, "--to", "2026-11-19").code == 0, "the day that differs is not in the range"
    assert run(*arguments, TOKENTRAIL_RECONCILE_TOLERANCE="50%").code == 0
    assert run(*arguments, "--from", "2026-11-25").out.strip() == "· nothing was compared"
    assert [row["id"] for row in json.loads(run("findings", "--all", "--json").out)] == [finding["id"]]


def usage_page(day: str, requests: int) -> dict[str, Any]:
    """A page of OpenAI's usage API, of one day."""
    start = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 10 * requests,
        "output_tokens": 5 * requests,
        "num_model_requests": requests,
        "model": MODEL,
        "project_id": "proj_1",
        "api_key_id": "key_1",
        "batch": False,
    }
    return {"object": "page", "data": [{"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [result]}]}


def test_the_providers_own_report_is_asked_for(run: Run, land: Land) -> None:
    land(*calls(3), *calls(2, day=1, first=10))
    pages = [usage_page("2026-11-18", 3), usage_page("2026-11-19", 2)]
    asked = ("--bill", "openai-usage", "--live", "--from", "2026-11-18", "--to", "2026-11-20")
    with ReportServer({"/organization/usage/completions": pages}) as server:
        server.limits_each = True  # every other request is answered by 429
        agreeing = run(*asked, "--url", server.url, OPENAI_ADMIN_KEY=KEY)
        assert agreeing.code == 0, agreeing.out + agreeing.err
        land(*calls(1, day=1, first=30))  # late data: the report does not have it yet
        differing = run(*asked, "--url", server.url, OPENAI_ADMIN_KEY=KEY)
        assert (differing.code, "input tokens: 20 stated, 30 in the ledger (-10)" in differing.out) == (1, True), differing.out
        pages[1] = usage_page("2026-11-19", 3)
        assert run(*asked, "--url", server.url, OPENAI_ADMIN_KEY=KEY).code == 0, "the difference is gone by itself"
        refused = run(*asked, "--url", server.url, OPENAI_ADMIN_KEY="sk-admin-wrong")
    assert (refused.code, "sk-admin" in refused.err + refused.out) == (2, False)
    assert "OPENAI_ADMIN_KEY" in run(*asked, OPENAI_ADMIN_KEY="").err
    assert KEY not in agreeing.out + agreeing.err + differing.out


def test_without_a_bill_the_ways_inside_are_compared(run: Run, land: Land) -> None:
    land(*calls(3))
    done = run()
    assert done.code == 0
    assert [line.split(":")[0] for line in done.out.splitlines()[:5]] == ["· journal", "✓ landing", "✓ verify", "· rollup", "· metrics"]
    assert done.out.splitlines()[-1] == "✓ nothing differs, 2 comparisons"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--file", "x.csv"], "say whose by --bill"),
        (["--bill", "csv"], "give --file for a saved report, or --live"),
        (["--bill", "csv", "--file", "x", "--url", "http://x"], "give --live with it"),
        (["--bill", "csv", "--live"], "csv is read from a file only"),
        (["--bill", "cvs", "--file", "x"], "Did you mean csv?"),
        (["--bill", "csv", "--file", "no-such-file"], "there is no file no-such-file"),
        (["--tolerance", "much"], "'much' is no tolerance"),
        (["--every", "often"], "'often' is no interval"),
        (["--every", "0s"], "'0s' is no interval"),
        (["--from", "soon"], "'soon' is not a time"),
        (["--from", "2026-11-02", "--to", "2026-11-02"], "the range has no whole day"),
        (["--project-in", "provider"], "'provider' cannot hold it: use one of tenant_id"),
        (["--same", "a"], "'a' is not BILL=LEDGER"),
        (["--same", "a=x", "--same", "b=x"], "'x' is the ledger's name of two"),
        (["--where", "colour=red"], "there is no dimension 'colour'"),
        (["--tolerance", "1%", "findings"], "--tolerance before findings has no effect"),
        (["explain", "abc", "--why", " "], "--why is empty"),
        (["reopen", "abc"], "Missing option '--why'"),
        (["correct", "abc", "--why", "x", "--patience", "0"], "--patience is 0.0"),
    ],
)
def test_misuse_is_one_sentence(arguments: list[str], sentence: str) -> None:
    done = in_process("reconcile", *arguments, TOKENTRAIL_CLICKHOUSE_DSN="http://127.0.0.1:9/tokentrail")
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_finding_that_is_not_there_is_one_sentence(run: Run) -> None:
    for given in ("abc", ""):
        done = run("explain", given, "--why", "x")
        assert (done.code, f"there is no finding {given!r}" in done.err) == (2, True)


def test_a_bill_that_is_broken_is_one_sentence_and_changes_nothing(run: Run, land: Land, database: Client, tmp_path: Path) -> None:
    land(*calls(3))
    broken = invoice(tmp_path / "a.csv", 5)
    broken.write_text(broken.read_text() + "2026-11-19,openai,m,many,1,1\n")
    done = run("--bill", "csv", "--file", str(broken))
    assert done.code == 2, done.out
    assert "a.csv" in done.err
    assert database.query("SELECT count() FROM findings").rows == [(0,)]


def test_money_is_not_corrected_and_a_dry_run_writes_nothing(run: Run, land: Land, database: Client, tmp_path: Path) -> None:
    land(*calls(3))
    run("--bill", "csv", "--file", str(invoice(tmp_path / "a.csv", 5)))
    (finding,) = [row[0] for row in database.query("SELECT id FROM findings").rows]
    done = run("correct", finding, "--why", "x", "--dry-run")
    assert done.code == 0
    assert 'entry (not sent): {"calls": 2, "input_tokens": 20, "output_tokens": 10}' in done.out
    assert database.query("SELECT count() FROM findings").rows == [(1,)]


def test_what_no_round_can_read_is_said_before_the_first(run: Run, land: Land) -> None:
    every = ("--bill", "openai-usage", "--live", "--every", "1h")
    without_key, unencrypted = run(*every, OPENAI_ADMIN_KEY=""), run(*every, "--url", "http://api.example.com", OPENAI_ADMIN_KEY=KEY)
    assert_one_sentence(without_key, "OPENAI_ADMIN_KEY is not set")
    assert_one_sentence(unencrypted, "a key is sent over https only")
    assert KEY not in unencrypted.err
    assert_one_sentence(run("--bill", "focus", "--live"), "is read from a file only")


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [("month", None, 1, 1), ("2026-12", None, 1, 1), ("2026-11", None, -29, 1), ("7d", None, -5, 1), ("month", "2027", 1, 32)],
)
def test_a_month_that_begins_has_no_day_yet_and_none_has_more_than_are_over(since: str, until: str | None, first: int, last: int) -> None:
    """On the first of December a container with `--from month` waits; it is no misuse."""
    now = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)
    of_month = datetime(2026, 12, 1, tzinfo=timezone.utc)
    wanted = asked(since=since, until=until).range(now)
    assert (wanted.since, wanted.until) == (of_month + timedelta(days=first - 1), of_month + timedelta(days=last - 1))
    assert wanted.is_empty == (first >= last)
    assert wanted.over == (None if until else now)


def asked(**given: Any) -> Asked:
    """A comparison with the provider, with defaults for all that is not given."""
    fields: dict[str, Any] = {
        "dsn": "",
        "source": "openai-usage",
        "files": (),
        "live": True,
        "url": "",
        "mapping": None,
        "words": (),
        "names": {},
        "where": (),
    }
    return Asked(**fields | {"tolerance": parse(""), "project_in": "", "key_in": "", "journal": Path()} | given)
