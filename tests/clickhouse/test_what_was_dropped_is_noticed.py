"""A table or view that the migrations made and somebody dropped: it is put back as it was where it holds no data, else it is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import Land, Total, closing, usage
from tokentrail.cli.migrate import command as migrate_command
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import Kind, lost_tables, migrate, plan, steps
from tokentrail.clickhouse.objects import made_by
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.clickhouse import check_clickhouse
from tokentrail.ledger.verify import verify

VIEWS = [
    "usage_parse",
    "usage_to_ledger",
    "usage_to_key_conflicts",
    "usage_to_deliveries",
    "usage_to_quarantine",
    "otel_traces_trace_id_ts_mv",
    "usage",
]
TABLES = ["usage_ledger", "usage_landing", "deliveries", "quarantine", "key_conflicts", "otel_logs", "otel_metrics_sum"]
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def described(database: Client) -> list[tuple[object, ...]]:
    """What every table and view of the database is made of."""
    return database.query("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name").rows


def drop(database: Client, *names: str) -> None:
    for name in names:
        database.command(f"DROP TABLE {name} SYNC")


def test_all_that_is_there_is_known(database: Client) -> None:
    names = {name for (name,) in database.query("SELECT name FROM system.tables WHERE database = currentDatabase()").rows}
    target = Target(database.database)
    assert names - {"migrations"} == made_by(statement for step in steps(target) for statement in step.statements).keys()


@pytest.mark.parametrize("names", [["usage"], ["usage_to_ledger"], ["usage_parsed"], ["usage_parsed", *VIEWS]], ids=" ".join)
def test_what_holds_no_data_is_put_back_as_it_was(database: Client, land: Land, total: Total, names: list[str]) -> None:
    target, before = Target(database.database), described(database)
    drop(database, *names)
    assert {(step.kind, step.name) for step in plan(database, target)} == {(Kind.DROPPED, name) for name in names}
    assert lost_tables(database, target) == []
    migrate(database, target)
    assert described(database) == before
    assert plan(database, target) == []
    land(usage(seq=1), closing(1))
    assert total()[0] == 1
    assert verify(database).ok


@pytest.mark.parametrize("names", [["usage_landing", "usage_parse"], ["usage_ledger", "usage"], ["usage_landing"], TABLES], ids=" ".join)
def test_a_table_is_named_and_made_anew_where_that_is_asked_for(database: Client, land: Land, total: Total, names: list[str]) -> None:
    target, before = Target(database.database), described(database)
    land(usage(seq=1))
    drop(database, *names)
    assert set(lost_tables(database, target)) == set(names).intersection(TABLES)
    migrate(database, target)
    assert set(lost_tables(database, target)) == set(names).intersection(TABLES)
    migrate(database, target, empty_tables=True)
    assert described(database) == before
    land(usage(seq=2), closing(2))
    assert total()[0] == (1 if "usage_ledger" in names else 2)


@pytest.mark.parametrize("view", ["usage_to_ledger", "usage_parse"])
def test_what_arrived_meanwhile_is_read_again(database: Client, land: Land, total: Total, view: str) -> None:
    land(usage(seq=1))
    drop(database, view)
    land(usage(seq=2), closing(2))
    migrate(database, Target(database.database))
    assert total()[0] == 1
    (told,) = (line for line in OPERATIONS.read_text().splitlines() if "EXCEPT (arrived_at)" in line)
    database.command(told.split('"')[1].replace("2026-11-26 10:00:00", "2000-01-01 00:00:00"))
    assert total()[0] == 2
    assert verify(database).ok


def test_the_command_and_the_doctor_say_so(database: Client, dsn: str) -> None:
    drop(database, "usage_to_ledger", "quarantine")
    said = [finding.sentence for finding in check_clickhouse(dsn) if finding.state == "wrong"]
    assert "table quarantine is not there any more, with all that it held: bring it back (`UNDROP TABLE quarantine`" in said[0]
    assert said[1].endswith(": somebody dropped usage_to_ledger: tokentrail migrate puts it back")
    ran = CliRunner().invoke(migrate_command, ["--dsn", dsn, "--dry-run"])
    assert (ran.exit_code, "would put back  usage_to_ledger  (1 statement)" in ran.stdout) == (1, True)
    ran = CliRunner().invoke(migrate_command, ["--dsn", dsn])
    assert (ran.exit_code, ran.stdout) == (1, "put back  usage_to_ledger  (1 statement)\n")
    assert "What arrived while usage_to_ledger was missing" in ran.stderr
    assert "table quarantine is not there any more" in ran.stderr
    ran = CliRunner().invoke(migrate_command, ["--dsn", dsn, "--json"])
    assert (ran.exit_code, json.loads(ran.stdout)["lost_tables"]) == (1, ["quarantine"])
    ran = CliRunner().invoke(migrate_command, ["--dsn", dsn, "--empty-tables"])
    assert (ran.exit_code, ran.stdout.splitlines()[-1]) == (0, f"database {database.database} is current now")
    assert {finding.state for finding in check_clickhouse(dsn)} == {"ok"}


def test_on_a_cluster_its_statements_are_the_clusters() -> None:
    made = made_by(statement for step in steps(Target("d", "prod")) for statement in step.statements)
    assert made["usage_ledger_local"].holds_data
    assert not made["usage_ledger"].holds_data
    assert "ENGINE = Distributed" in made["usage_ledger"].statements[0]
    assert all("ON CLUSTER 'prod'" in statement for each in made.values() for statement in each.statements)
    assert "MODIFY QUERY" not in "".join(made["usage_to_ledger"].statements)
    assert "bitShiftLeft" in made["usage_to_ledger"].statements[0]
    # the table, its columns' later types, and what the view's definition does to it
    assert [statement.partition(" usage_landing_local")[0] for statement in made["usage_landing_local"].statements] == [
        "CREATE TABLE IF NOT EXISTS",
        "ALTER TABLE",
        "ALTER TABLE",
    ]


def test_a_database_that_is_not_there_yet_lacks_nothing(dsn: str) -> None:
    client = connect(dsn, create=True)
    target = Target(dsn.rpartition("=")[2])
    assert lost_tables(client, target) == []
    steps_to_come = plan(client, target)
    assert steps_to_come
    assert [step for step in steps_to_come if step.kind is Kind.DROPPED] == []
    client.close()
