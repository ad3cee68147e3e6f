"""`tokentrail query` lists the questions, describes one, and asks one in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from tokentrail.cli.group import cli
from tokentrail.ledger.query import questions, read

Run = Callable[..., Result]


@pytest.fixture
def run(served: str) -> Run:
    return lambda *arguments: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": served}).invoke(cli, ["query", *arguments])


def test_the_list_has_every_question(run: Run) -> None:
    listed = run()
    assert listed.exit_code == 0
    rows = json.loads(run("--format", "json").stdout)
    assert [row["name"] for row in rows] == questions()
    for row in rows:
        assert row["name"] in listed.stdout
        assert row["question"] == read(row["name"]).title


def test_the_list_and_a_description_need_no_clickhouse() -> None:
    runner = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": "http://127.0.0.1:9/none"})
    assert runner.invoke(cli, ["query"]).exit_code == 0
    for name in questions():
        described = runner.invoke(cli, ["query", name, "--describe"])
        assert described.exit_code == 0
        for word in (*read(name).parameters, *read(name).columns):
            assert f"  {word.name}" in described.stdout
        assert read(name).sql in described.stdout


@pytest.mark.parametrize("name", questions())
def test_every_question_is_asked_in_every_format(run: Run, name: str) -> None:
    given = [f"-p{each.name}=x" for each in read(name).parameters if each.default is None]
    columns = [column.name for column in read(name).columns]
    rows = json.loads(run(name, *given, "--json").stdout)
    assert all(list(row) == columns for row in rows)
    head, *lines = csv.reader(io.StringIO(run(name, *given, "--format", "csv").stdout))
    assert (head, len(lines)) == (columns, len(rows))
    for output_format in ("table", "vertical"):
        assert run(name, *given, "--format", output_format).exit_code == 0


def test_hostile_values_are_values(run: Run) -> None:
    for value in ("'", "\\", "'; DROP TABLE usage_ledger --", "{to:String}", "\t\n", "señor 日本"):
        asked = run("tokens", "-p", f"tenants={value}", "-p", "tenants=", "--json")
        assert (asked.exit_code, json.loads(asked.stdout)) == (0, [])
