"""A report's options: any filter, keys of the metadata, the zone of days, order, rest, shares and changes; and its formats carry nothing harmful."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import START_NS, Land, claimed, usage
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.lists import FILTERS
from tokentrail.ledger.query import QueryError, answer, read
from tokentrail.ledger.report import DIMENSIONS, report
from tokentrail.ledger.times import parse_time, parse_zone, period_before
from tokentrail.ledger.values import parse_parameters
from tokentrail.pages.selection import of_texts

HOUR = 3600 * 10**9
TEAMS = ("search", 'o"hara \\ söhne', "=cmd|' /C calc'!A0", "a=b", None)
HOSTILE = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "<script>alert(1)</script>", "|x|`y`", "[a](javascript:b)", "\x1b[31mred\u202e\u2028")
Run = Callable[..., Result]


@pytest.fixture
def run(database: Client, dsn: str) -> Run:
    assert database
    return lambda *arguments: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(cli, arguments)


@pytest.fixture
def spent(land: Land) -> None:
    """60 calls, one each five hours."""
    land(
        *(
            usage(
                seq=number + 1,
                ts=START_NS - number * 5 * HOUR,
                tenant=("acme", "", "globex")[number % 3],
                operation=("chat", "query")[number % 2],
                input_tokens=100 * number,
                output_tokens=None if number == 7 else number,
                more={
                    "provider": ("openai", "groq")[number % 2],
                    "response_model": f"model-{number % 7}",
                    "endpoint": ("chat", "embeddings")[number % 2],
                    "stream": number % 2 == 0,
                    "metadata": {"team": TEAMS[number % 5], "shard": number % 3, "deep": {"a": [1]}},
                },
            )
            for number in range(60)
        )
    )


def rows_of(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.mark.usefixtures("spent")
def test_every_value_of_every_dimension_can_be_asked_for_alone(run: Run, database: Client) -> None:
    for name in FILTERS:
        for row in report(database, [name]):
            value = row[name] if isinstance(row[name], str) else json.dumps(row[name])
            (alone,) = report(database, [name], filters={"where": [f"{name}={value}"]})
            assert alone == row, name
    for option in ("--tenant", "--operation", "--provider", "--model", "--service", "--environment", "--token-type", "--endpoint", "--stream"):
        assert rows_of(run("report", option, "no such", "--json")) == []
    two = rows_of(run("report", "--by", "endpoint", "--endpoint", "chat", "--endpoint", "embeddings", "--stream", "true", "--json"))
    assert [(row["endpoint"], row["calls"]) for row in two] == [("chat", 30)]


@pytest.mark.usefixtures("spent")
def test_a_key_of_the_metadata_is_a_dimension_and_a_filter(run: Run) -> None:
    rows = rows_of(run("report", "--by", "metadata.team,metadata.shard,metadata.deep,metadata.none", "--json"))
    teams = defaultdict(int)
    for row in rows:
        teams[row["metadata.team"]] += row["calls"]
        assert (row["metadata.deep"], row["metadata.none"]) == ('{"a":[1]}', "")
    assert teams == {team or "": 12 for team in TEAMS}
    assert {row["metadata.shard"] for row in rows} == {"0", "1", "2"}
    for team in TEAMS:
        (row,) = rows_of(run("report", "--by", "metadata.team", "--where", f"metadata.team={team or ''}", "--json"))
        assert (row["metadata.team"], row["calls"]) == (team or "", 12)
    both = run("report", "--by", "", "--where", "metadata.team=search", "--where", "metadata.team=a=b", "--where", "metadata.shard=1", "--json")
    assert rows_of(both)[0]["calls"] == 8
    assert run("report", "--by", "metadata.it's,metadata.a`b\\", "--json").exit_code == 0


@pytest.mark.usefixtures("spent")
def test_questions_take_the_same_filters_and_name_an_unknown_one(database: Client) -> None:
    where = ["endpoint=chat", "metadata.team=search"]
    (row,) = report(database, [], filters={"where": where})
    found = answer(database, "tokens", {"by": "provider", "where": where}).dicts()
    assert sum(each["input_tokens"] for each in found) == row["input_tokens"]
    assert answer(database, "tokens", {"where": ["colour=red"]}).rows == []
    for wrong in ("colour=red", "endpoint", "=x", "metadata.=x", "day=2026-11-01"):
        with pytest.raises(QueryError):
            parse_parameters(read("tokens"), {"where": [wrong]})


@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_days_and_hours_are_those_of_the_zone(run: Run, zone: str) -> None:
    moments = [datetime.fromtimestamp((START_NS - number * 5 * HOUR) / 10**9, timezone.utc).astimezone(ZoneInfo(zone)) for number in range(60)]
    for name, form in (("hour", "%Y-%m-%d %H:00:00"), ("day", "%Y-%m-%d"), ("month", "%Y-%m-01")):
        expected: dict[str, int] = defaultdict(int)
        for moment in moments:
            expected[moment.strftime(form)] += 1
        assert {row[name]: row["calls"] for row in rows_of(run("report", "--by", name, "--timezone", zone, "--json"))} == expected
    weeks = {str((moment - timedelta(days=moment.weekday())).date()) for moment in moments}
    assert {row["week"] for row in rows_of(run("report", "--by", "week", "--timezone", zone, "--json"))} == weeks
    noon = moments[10].replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None)
    (row,) = rows_of(run("report", "--by", "", "--from", str(noon), "--timezone", zone, "--json"))
    assert row["calls"] == sum(moment.replace(tzinfo=None) >= noon for moment in moments)


@pytest.mark.usefixtures("spent")
def test_rows_beyond_the_limit_are_one_line_and_the_total_holds(run: Run) -> None:
    rows = rows_of(run("report", "--by", "model", "--sort", "calls:asc", "--json"))
    assert [row["calls"] for row in rows] == sorted(row["calls"] for row in rows)
    ran = run("report", "--by", "model", "--sort", "model", "--limit", "3")
    lines = [line.split() for line in ran.stdout.splitlines() if line.strip()]
    assert [line[0] for line in lines[2:5]] == ["model-0", "model-1", "model-2"]
    (rest,) = (line for line in lines if line[:2] == ["(4", "others)"])
    (total,) = (line for line in lines if line[0] == "total")
    number = lambda text: int(text.replace(",", ""))  # noqa: E731
    assert number(rest[2]) + sum(number(line[1]) for line in lines[2:5]) == number(total[1]) == 100 * sum(range(60))
    assert "the first 3 rows are shown" in ran.stderr
    vertical = run("report", "--by", "model", "--limit", "3", "--format", "vertical").stdout
    assert "(4 others)" in vertical
    assert len(rows_of(run("report", "--by", "model", "--limit", "3", "--json"))) == 3
    assert "Did you mean calls?" in run("report", "--sort", "cals").stderr
    assert run("report", "--sort", "calls:up").exit_code == 2


@pytest.mark.usefixtures("spent")
def test_shares_and_changes_are_those_of_the_questions(run: Run, database: Client) -> None:
    rows = rows_of(run("report", "--by", "model", "--share", "--json"))
    assert {row["model"]: row["share"] for row in rows} == {row["name"]: row["share"] for row in answer(database, "tokens").dicts()}
    end = "2026-11-18 12:00:00.000000"
    asked = answer(database, "change", {"days": 3, "to": end}).dicts()
    rows = rows_of(run("report", "--by", "model", "--change", "--from", "2026-11-15 12:00", "--to", "2026-11-18 12:00", "--json"))
    assert {row["model"]: (row["tokens_before"], row["change"]) for row in rows} == {
        row["name"]: (row["tokens_before"], row["change"]) for row in asked
    }
    people = run("report", "--by", "model", "--change", "--share", "--from", "2026-11-15 12:00", "--to", "2026-11-18 12:00")
    assert "against 2026-11-12 12:00 to 2026-11-15 12:00" in people.stderr
    assert "share %" in people.stdout
    shares = [
        row["share"] for row in rows_of(run("report", "--by", "model", "--share", "--from", "2026-11-15 12:00", "--to", "2026-11-18 12:00", "--json"))
    ]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert {f"{share:.1%}".rstrip("%") for share in shares if share} <= set(people.stdout.split())
    assert run("report", "--change").exit_code == 2
    assert run("report", "--change", "--from", "7d", "--by", "day").exit_code == 2


@pytest.mark.usefixtures("spent")
def test_what_only_the_period_before_has_is_a_row(run: Run, land: Land) -> None:
    land(usage(seq=99, ts=START_NS - 24 * HOUR, tenant="gone"))
    rows = rows_of(run("report", "--by", "tenant_id", "--change", "--from", "2026-11-18 00:00", "--to", "2026-11-19", "--json"))
    (gone,) = (row for row in rows if row["tenant_id"] == "gone")
    assert (gone["calls"], gone["input_tokens"], gone["tokens_before"], gone["change"]) == (0, None, 15, -1)


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("2026-11", "2026-12", "2027-01-09 12:00", ("2026-10-01", "2026-11-01")),
        ("2026-11", None, "2026-11-27 09:30", ("2026-10-01", "2026-10-27 09:30")),
        ("2026-03", None, "2026-03-31 09:30", ("2026-02-01", "2026-03-01")),
        ("2026-09", "2026-11", "2027-01-09", ("2026-07-01", "2026-09-01")),
        ("2026-11-27", None, "2026-11-27 09:30", ("2026-11-26", "2026-11-26 09:30")),
        ("2026-11-20", "2026-11-27", "2027-01-09", ("2026-11-13", "2026-11-20")),
        ("2026-10-25", "2026-10-26", "2027-01-09", ("2026-10-24", "2026-10-25")),  # a day of 25 hours
        ("2026-11-20 10:00", "2026-11-20 12:00", "2027-01-09", ("2026-11-20 08:00", "2026-11-20 10:00")),
    ],
)
def test_the_period_before_follows_the_calendar(start: str, end: str | None, now: str, expected: tuple[str, str]) -> None:
    zone = parse_zone("Europe/Madrid")
    moment = datetime.fromisoformat(now).replace(tzinfo=zone)
    first, last, _ = period_before(parse_time(start, zone), end and parse_time(end, zone), zone, now=moment)
    assert (first, last) == tuple(parse_time(each, zone) for each in expected)


@pytest.fixture
def hostile(land: Land) -> None:
    land(*(claimed(f"k{number}", seq=number + 1, tenant=name) for number, name in enumerate((*HOSTILE, "-5"))))


@pytest.mark.usefixtures("hostile")
def test_a_spreadsheet_takes_no_name_for_a_formula(run: Run) -> None:
    for arguments in (["report", "--by", "tenant_id"], ["query", "tokens", "-p", "by=tenant_id"], ["sql", "SELECT tenant_id, calls FROM usage"]):
        cells = [row[0] for row in csv.reader(io.StringIO(run(*arguments, "--format", "csv").stdout))]
        assert not [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r", "-2", "+1="))], arguments
        assert {"'=1+1", "'@SUM(A1)", "+1", "-5"} <= set(cells), arguments


@pytest.mark.usefixtures("hostile")
def test_markdown_shows_every_name_as_it_is(run: Run) -> None:
    ran = run("report", "--by", "tenant_id", "--format", "markdown")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("| tenant\\_id | input\\_tokens |")
    assert len(lines) == 2 + len(HOSTILE) + 1
    assert all(line.replace("\\|", "").count("|") == lines[0].count("|") for line in lines)
    assert "<script" not in ran.stdout
    assert "\\[a\\]\\(javascript" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert "\u202e" not in ran.stdout


@pytest.mark.usefixtures("hostile")
def test_a_table_shows_no_sign_that_steers(run: Run) -> None:
    for shape in ("table", "vertical"):
        text = run("report", "--by", "tenant_id", "--format", shape).stdout
        assert not set("\x1b\r\u202e\u2028") & set(text)
        assert "\\x1b[31mred\\u202e\\u2028" in text


@pytest.mark.usefixtures("hostile")
def test_parquet_holds_what_json_says(run: Run, database: Client, tmp_path: Path) -> None:
    by = ["--by", "tenant_id,day,hour,stream,operation,metadata.x", "--cost", "--share", "--timezone", "Asia/Kolkata"]
    for arguments in (["report", *by], ["query", "tokens", "-p", "by=tenant_id"]):
        ran = run(*arguments, "--format", "parquet")
        assert ran.exit_code == 0, ran.output
        (tmp_path / "rows.parquet").write_bytes(ran.stdout_bytes)
        read_back = database.query(f"SELECT * FROM file('{tmp_path}/rows.parquet', Parquet)")
        rows = rows_of(run(*arguments, "--json"))
        assert list(read_back.columns) == list(rows[0])
        assert {row[0]: row[1:] for row in read_back.rows if row[0] == HOSTILE[-1]}.keys() == {HOSTILE[-1]}
        assert sum(row["calls"] for row in read_back.dicts()) == len(HOSTILE) + 1


@pytest.mark.usefixtures("spent")
def test_a_filter_that_matches_nothing_gets_a_hint(run: Run) -> None:
    ran = run("report", "--model", "modle-3", "--tenant", "acme", "--endpoint", "embedings")
    assert (ran.exit_code, ran.stdout) == (0, "no usage with these values\n")
    assert ran.stderr.splitlines() == [
        "no usage has the model 'modle-3'. Did you mean model-3?",
        "no usage has the endpoint 'embedings'. Did you mean embeddings?",
    ]


def test_every_dimension_is_listed_once() -> None:
    assert len(set(DIMENSIONS)) == len(DIMENSIONS)


def test_from_a_month_alone_is_this_month_in_every_command(run: Run, land: Land, tmp_path: Path) -> None:
    days = [datetime(2025, 9, 30, 23, 30, tzinfo=timezone.utc), *(datetime(2025, month, 5, tzinfo=timezone.utc) for month in (10, 11))]
    land(*(usage(seq=number + 1, ts=int(day.timestamp()) * 10**9, input_tokens=10**number) for number, day in enumerate(days)))

    def tokens(*arguments: str) -> int:
        ran = run("report", "--by", "", "--json", *arguments)
        assert ran.exit_code == 0, ran.output
        return int(json.loads(ran.stdout)[0]["input_tokens"])

    assert tokens("--from", "2025-10") == 10
    assert tokens("--timezone", "Europe/Madrid", "--from", "2025-10") == tokens("--from", "2025-10", "--timezone", "Europe/Madrid") == 11
    assert tokens("--from", "2025-10", "--to", "now") == tokens("--from", "2025-10-01") == 110
    assert tokens("--from", "2025") == 111
    assert tokens("--from", "2025-09", "--to", "2025-11") == 11
    month = run("query", "tokens", "-pby=tenant_id", "-pfrom=2025-10", "--json")
    assert json.loads(month.stdout)[0]["input_tokens"] == 10
    for said in (month, run("report", "--from", "2025-10")):
        assert "from 2025-10 is the whole of 2025-10 and no more" in said.stderr
    assert run("report", "--from", "2025-10-01").stderr == ""
    assert run("tail", "--from", "2025-10", "--no-follow", "--json").stdout.count("\n") == 1
    assert run("export", "focus", str(tmp_path / "october.csv"), "--from", "2025-10").exit_code == 0
    assert of_texts({"from": "2025-12"}, datetime.now(timezone.utc)).end == parse_time("2026-01-01")
    assert "is not a time" in run("report", "--from", "2025-13").output
