from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import START_NS, Land, claimed, usage
from tokentrail.cli.report import command
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.report import DIMENSIONS, MEASURES, UnknownDimensionError, report
from tokentrail.ledger.times import parse_time, parse_zone

DAY = 86_400 * 10**9
Run = Callable[..., Result]


@pytest.fixture
def run(database: Client, dsn: str) -> Run:
    assert database

    def invoke(*arguments: str) -> Result:
        return CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(command, arguments)

    return invoke


@pytest.fixture
def spent(land: Land) -> None:
    land(
        usage(seq=1, tenant="acme", input_tokens=10, output_tokens=5),
        usage(seq=2, tenant="acme", input_tokens=7, output_tokens=None, source="estimated", more={"ended": "partial"}),
        usage(seq=3, tenant="umbrella", ts=START_NS - DAY, more={"provider": "groq", "response_model": None, "cache_read_tokens": 4}),
        usage(seq=4, tenant="umbrella", input_tokens=None, output_tokens=None, source="unknown", more={"ended": "error"}),
        claimed("correction:1", seq=5, tenant="acme", input_tokens=-2, output_tokens=-1, more={"calls": -1}),
    )


@pytest.mark.usefixtures("spent")
def test_json_is_a_list_of_objects_with_dimensions_and_measures(run: Run) -> None:
    result = run("--by", "tenant_id", "--json")
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [list(row) for row in rows] == [["tenant_id", *MEASURES]] * 2
    acme, umbrella = rows
    assert (acme["tenant_id"], acme["calls"], acme["input_tokens"], acme["output_tokens"], acme["cache_read_tokens"]) == ("acme", 1, 15, 4, None)
    assert (acme["reported_calls"], acme["estimated_calls"], acme["partial_calls"]) == (0, 1, 1)
    assert (umbrella["calls"], umbrella["input_tokens"], umbrella["cache_read_tokens"], umbrella["unknown_calls"], umbrella["error_calls"]) == (
        2,
        10,
        4,
        1,
        1,
    )


@pytest.mark.usefixtures("spent")
def test_csv_has_a_head_and_leaves_empty_what_nobody_stated(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--by", "tenant_id", "--format", "csv").stdout)))
    assert (rows[0]["tenant_id"], rows[0]["input_tokens"], rows[0]["cache_read_tokens"]) == ("acme", "15", "")


@pytest.mark.usefixtures("spent")
def test_a_table_ends_with_the_total(run: Run) -> None:
    output = run("--by", "tenant_id,provider").stdout
    assert "umbrella" in output
    assert output.strip().splitlines()[-1].split()[:3] == ["total", "25", "9"]


@pytest.mark.usefixtures("spent")
def test_a_row_without_a_tenant_does_not_read_as_the_tenant_above_it(run: Run, land: Land) -> None:
    land(claimed("nobody", seq=9, tenant=""))
    assert any(line.split()[0] == "(none)" for line in run("--by", "tenant_id,provider").stdout.splitlines() if line.strip())
    assert "" in [row["tenant_id"] for row in csv.DictReader(io.StringIO(run("--by", "tenant_id", "--format", "csv").stdout))]


def test_a_ledger_that_holds_nothing_says_so(run: Run) -> None:
    assert run().stdout == "no usage yet\n"


@pytest.mark.usefixtures("spent")
def test_ranges_of_time_are_half_open(run: Run) -> None:
    first = "2026-11-18T11:06:41Z"  # the very time of the first usage
    inside = json.loads(run("--by", "", "--from", first, "--to", "2026-11-19", "--json").stdout)
    before = json.loads(run("--by", "", "--to", first, "--json").stdout)
    whole = json.loads(run("--by", "", "--json").stdout)
    assert (before[0]["calls"], inside[0]["calls"], whole[0]["calls"]) == (1, 2, 3)
    assert json.loads(run("--by", "provider", "--from", "2030-01-01", "--json").stdout) == []
    assert run("--from", "2030-01-01").stdout == "no usage in this range\n"


@pytest.mark.usefixtures("spent")
def test_tenants_may_be_repeated_and_hold_anything(run: Run, land: Land) -> None:
    hostile = "a'b\\c\t\"\n💥, ] {x:String}"
    land(claimed("k", seq=9, tenant=hostile))
    one = json.loads(run("--by", "tenant_id", "--tenant", hostile, "--json").stdout)
    two = json.loads(run("--by", "tenant_id", "--tenant", "acme", "--tenant", "umbrella", "--json").stdout)
    assert [row["tenant_id"] for row in one] == [hostile]
    assert {row["tenant_id"] for row in two} == {"acme", "umbrella"}


@pytest.mark.usefixtures("spent")
def test_every_dimension_can_be_asked_for(database: Client) -> None:
    for name in DIMENSIONS:
        rows = report(database, [name])
        assert sum(row["calls"] for row in rows) == 3, name
    assert len(report(database, DIMENSIONS)) == 5


@pytest.mark.usefixtures("spent")
def test_the_model_is_the_one_that_answered_or_the_one_asked_for(database: Client) -> None:
    assert {row["model"] for row in report(database, ["model"])} == {"gpt-4o-mini-2024-07-18", "gpt-4o-mini"}


@pytest.mark.usefixtures("spent")
def test_rows_come_in_the_order_of_their_days(database: Client) -> None:
    days = [row["day"] for row in report(database, ["tenant_id", "day"])]
    assert days == sorted(days)
    assert days[0] == "2026-11-17"


def test_an_unknown_dimension_is_misuse_and_lists_those_allowed(run: Run, database: Client) -> None:
    result = run("--by", "provider,colour")
    assert result.exit_code == 2
    assert "'colour'" in result.stderr
    assert all(name in result.stderr for name in DIMENSIONS)
    with pytest.raises(UnknownDimensionError):
        report(database, ["1; DROP TABLE usage"])


@pytest.mark.parametrize(
    "arguments", [("--from", "gestern"), ("--to", "2026-13-01"), ("--from", "2026-11-02", "--to", "2026-11-02"), ("--format", "xml")]
)
def test_bad_times_and_formats_are_misuse(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_times_are_read_as_utc_unless_they_say_otherwise() -> None:
    assert parse_time("2026-11-01") == "2026-11-01 00:00:00.000000"
    assert parse_time("2026-11-01T12:30:00Z") == parse_time("2026-11-01 14:30:00+02:00") == parse_time("2026-11-01T12:30:00")
    for wrong in ("", "Z", "1850-01-01", "2500-01-01", "9999-12-31T23:59:59-23:00"):
        with pytest.raises(ValueError, match="is not"):
            parse_time(wrong)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-03-29 12:30:00"),
        ("today", "2026-03-28 23:00:00"),
        ("yesterday", "2026-03-27 23:00:00"),
        ("week", "2026-03-22 23:00:00"),
        ("month", "2026-02-28 23:00:00"),
        ("year", "2025-12-31 23:00:00"),
        ("24h", "2026-03-28 12:30:00"),
        ("1d", "2026-03-28 12:30:00"),
        ("90m", "2026-03-29 11:00:00"),
        ("2w", "2026-03-15 12:30:00"),
        ("2026-07", "2026-06-30 22:00:00"),
        ("2026", "2025-12-31 23:00:00"),
        ("2026-03-30", "2026-03-29 22:00:00"),
        ("2026-03-29 14:30", "2026-03-29 12:30:00"),
        ("2026-03-29T14:30Z", "2026-03-29 14:30:00"),
    ],
)
def test_words_of_time_are_read_in_the_zone(text: str, moment: str) -> None:
    """On the day on which summer time begins in Madrid."""
    now = datetime(2026, 3, 29, 14, 30, tzinfo=parse_zone("Europe/Madrid"))
    assert parse_time(text, parse_zone("Europe/Madrid"), now=now) == f"{moment}.000000"


@pytest.mark.parametrize("name", ["", "Madrid", "../etc/passwd", "Europe", "\0", "x" * 500])
def test_an_unknown_zone_is_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        parse_zone(name)


def test_nothing_spent_is_an_empty_report(run: Run) -> None:
    assert json.loads(run("--json").stdout) == []
    assert json.loads(run("--by", "", "--json").stdout) == []
    assert run("--format", "csv").stdout.startswith("provider,model,input_tokens")
