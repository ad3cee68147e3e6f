"""`migrate`, `sql`, `verify` and `quarantine` as a user or a script meets them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import Land, claimed, closing, usage, writer
from tokentrail import semconv
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client

Run = Callable[..., Result]


@pytest.fixture
def run(dsn: str) -> Run:
    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(cli, arguments, input=stdin)

    return invoke


def test_migrate_says_what_it_would_do_what_it_did_and_that_nothing_is_left(run: Run) -> None:
    dry = run("migrate", "--dry-run")
    assert "would apply  migration 0001_ledger" in dry.stdout
    assert run("report").exit_code == 2  # nothing was made
    assert "applied  definition usage" in run("migrate").stdout
    again = run("migrate")
    assert (again.exit_code, again.stdout.count("applied")) == (0, 0)
    assert json.loads(run("migrate", "--dry-run", "--json").stdout)["applied"] == []


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["migrate", "--dry-run", "--sql", "--dsn", f"chdb://{tmp_path}/new"])
    assert result.exit_code == 0
    assert "CREATE TABLE IF NOT EXISTS usage_ledger\n" in result.stdout
    assert not (tmp_path / "new").exists()


def test_a_clusters_ddl_can_be_read_without_a_cluster(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["migrate", "--dry-run", "--sql", "--cluster", "prod", "--dsn", f"chdb://{tmp_path}/new"])
    assert "ENGINE = ReplicatedReplacingMergeTree(version)" in result.stdout


def test_sql_prints_tables_json_and_csv(run: Run, land: Land) -> None:
    land(usage())
    statement = "SELECT tenant_id, input_tokens, NULL AS nothing, 'a,b' AS list FROM usage;"
    assert json.loads(run("sql", statement, "--json").stdout) == [{"tenant_id": "acme", "input_tokens": 10, "nothing": None, "list": "a,b"}]
    assert list(csv.reader(io.StringIO(run("sql", statement, "--format", "csv").stdout))) == [
        ["tenant_id", "input_tokens", "nothing", "list"],
        ["acme", "10", "", "a,b"],
    ]
    assert "acme" in run("sql", "-", stdin=statement).stdout
    assert "usage_ledger" in run("sql", "SHOW TABLES").stdout


def test_the_engine_in_this_process_streams_and_honours_formats_too(run: Run, database: Client) -> None:
    assert database
    many = "SELECT number AS n FROM numbers(200000)"
    assert run("sql", f"{many} FORMAT TSVWithNames").stdout == "n\n" + "".join(f"{n}\n" for n in range(200_000))
    assert run("sql", many, "--format", "csv").stdout.count("\n") == 200_001
    assert run("sql", f"{many} WHERE n > 200000 FORMAT CSVWithNames").stdout == '"n"\n'
    assert run("sql", "SELECT 1 FORMAT Parquet").stdout_bytes.startswith(b"PAR1")
    table = run("sql", "SELECT number FROM numbers(100000000000)")
    assert (table.exit_code, table.stdout.splitlines()[-1], "the first 1,000 rows are shown" in table.stderr) == (0, "   999", True)
    broken = run("sql", "SELECT throwIf(number = 200000) FROM numbers(300000) SETTINGS max_block_size = 1000", "--format", "csv")
    assert (broken.exit_code, broken.stderr.startswith("Error: the answer broke off (code 395)")) == (2, True)
    refused = run("sql", "SELECT 1 INTO OUTFILE '/tmp/never' FORMAT CSV", "--write")
    assert (refused.exit_code, "redirect standard output" in refused.stderr) == (2, True)
    assert run("sql", "SELECT 1").stdout.split()[-1] == "1"


@pytest.mark.parametrize(
    "statement", ["TRUNCATE TABLE usage_ledger", "INSERT INTO migrations (name) VALUES ('x')", "SET readonly = 0", "DROP TABLE quarantine"]
)
def test_sql_reads_only_unless_told_otherwise(run: Run, land: Land, database: Client, statement: str) -> None:
    land(usage())
    refused = run("sql", statement)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert database.query("SELECT sum(calls) FROM usage").rows == [(1,)]


def test_sql_writes_when_told_to(run: Run, land: Land, database: Client) -> None:
    land(usage())
    assert run("sql", "--write", "TRUNCATE TABLE usage_ledger").exit_code == 0
    assert database.query("SELECT count() FROM usage").rows == [(0,)]


def test_verify_of_a_whole_ledger_is_fine(run: Run, land: Land) -> None:
    land(usage(seq=1), closing(1), usage(by="w2", seq=1))
    result = run("verify")
    assert result.exit_code == 0
    assert "2 writers: 1 complete, 1 open" in result.stdout
    assert writer("w2") in result.stdout
    assert writer("w1") not in result.stdout
    assert writer("w1") in run("verify", "--all").stdout
    told = json.loads(run("verify", "--json").stdout)
    assert (told["ok"], [each["writer_id"] for each in told["writers"]]) == (True, [writer("w2")])
    every = json.loads(run("verify", "--all", "--json").stdout)["writers"]
    assert sorted(each["writer_id"] for each in every) == sorted([writer("w1"), writer("w2")])


def test_verify_of_nothing_is_fine(run: Run, database: Client) -> None:
    assert database
    assert run("verify").exit_code == 0


def test_verify_names_all_that_is_off_and_ends_with_one(run: Run, land: Land) -> None:
    land(
        usage(seq=1),
        closing(3),
        claimed("k", by="w2", seq=1),
        claimed("k", by="w2", seq=2, input_tokens=99),
        usage(by="w3", seq=1, input_tokens="many"),
    )
    result = run("verify")
    assert result.exit_code == 1
    for said in ("numbers 2-3 never arrived", "claimed key 'k': different numbers were said", "1 record in quarantine: bad count"):
        assert said in result.stdout
    told = json.loads(run("verify", "--json").stdout)
    assert (told["ok"], len(told["findings"]), [each["state"] for each in told["writers"]].count("missing")) == (False, 3, 1)
    assert [(said["input_tokens"], said["counts"]) for said in told["conflicts"]] == [(10, True), (99, False)]
    missing = next(each for each in told["writers"] if each["state"] == "missing")
    assert missing["missing"] == "2-3"


def test_quarantine_is_listed_and_replayed(run: Run, land: Land) -> None:
    assert run("migrate").exit_code == 0
    assert run("quarantine", "list").stdout == "quarantine is empty\n"
    land(usage(seq=1, input_tokens="many"), usage(seq=2, more={"key": None}))
    assert "bad count" in run("quarantine", "list").stdout
    (listed,) = json.loads(run("quarantine", "list", "--reason", "bad key", "--json").stdout)
    assert (listed["seq"], listed["attributes"][semconv.SEQ]) == (2, "2")
    assert run("quarantine", "replay").stdout == "2 records replayed: 0 understood, 2 still in quarantine\n"
    assert json.loads(run("quarantine", "replay", "--reason", "bad key", "--json").stdout) == {"records": 1, "remaining": 1, "understood": 0}


@pytest.mark.parametrize("name", [["migrate"], ["report"], ["sql"], ["verify"], ["quarantine"], ["quarantine", "list"], ["quarantine", "replay"]])
def test_every_command_has_help_with_an_example(name: list[str]) -> None:
    result = CliRunner().invoke(cli, [*name, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"tokentrail {name[0]}" in result.stdout
