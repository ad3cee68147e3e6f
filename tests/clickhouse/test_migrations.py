"""Migrations: once, in order, never edited, never harmful when repeated."""

from __future__ import annotations

import re
import threading

import pytest

from tests.support.ledger_rows import usage
from tests.support.sql_files import database_of, edit
from tokentrail.clickhouse.client import ClickHouseError, Client, connect
from tokentrail.clickhouse.migrate import MigrationError, migrate, plan, steps
from tokentrail.clickhouse.sqlfiles import Target


def test_a_second_run_does_nothing(database: Client) -> None:
    target = Target(database.database)
    assert plan(database, target) == []
    assert migrate(database, target) == []


def test_planning_changes_nothing(dsn: str) -> None:
    client = connect(dsn, create=True)
    assert [step.name for step in plan(client, Target(database_of(dsn)))] == [step.name for step in steps(Target(database_of(dsn)))]
    assert client.query("SELECT count() FROM system.databases WHERE name = {name:String}", {"name": database_of(dsn)}).rows == [(0,)]
    client.close()


def test_an_edited_migration_is_refused_and_nothing_is_run(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "0002_landing", "INTERVAL 30 DAY", "INTERVAL 7 DAY")
    edit(monkeypatch, "usage", "One row per usage, each", "Each usage")
    with pytest.raises(MigrationError, match="0002_landing is not the text that was applied"):
        migrate(database, Target(database.database))
    assert database.query("SELECT startsWith(comment, 'One row') FROM system.tables WHERE database = currentDatabase() AND name = 'usage'").rows == [
        (1,)
    ]


def test_an_edited_comment_in_the_file_is_an_edit_too(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "0003_logs", "'The message'", "'A message'")
    with pytest.raises(MigrationError):
        plan(database, Target(database.database))


def test_a_newer_database_is_refused(database: Client) -> None:
    database.insert_json("migrations", [{"name": "9999_later", "checksum": "x", "cluster": "", "package": "9"}])
    with pytest.raises(MigrationError, match="newer tokentrail"):
        plan(database, Target(database.database))


def test_another_cluster_than_before_is_refused(database: Client) -> None:
    with pytest.raises(MigrationError, match="without --cluster"):
        plan(database, Target(database.database, "prod"))


def test_every_statement_can_be_repeated(database: Client) -> None:
    for step in steps(Target(database.database)):
        for statement in step.statements:
            database.command(statement)
    database.insert_json("usage_landing", [usage()])
    assert database.query("SELECT sum(calls) FROM usage").rows == [(1,)]


def test_a_run_that_was_cut_short_is_finished_by_the_next_one(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(dsn, create=True)
    target = Target(database_of(dsn))
    with monkeypatch.context() as patch:
        edit(patch, "usage_parse", "FROM usage_landing{{local}}", "FROM nowhere")
        with pytest.raises(MigrationError, match="usage_parse stopped"):
            migrate(client, target)
    with pytest.raises(ClickHouseError, match="ledger_is_ready"):  # nothing gets past a landing table that does not feed the ledger yet
        client.insert_json("usage_landing", [usage()])
    assert migrate(client, target)[0].name == "usage_parse"
    client.insert_json("usage_landing", [usage()])
    assert client.query("SELECT sum(calls) FROM usage").rows == [(1,)]
    client.close()


def test_two_that_run_at_once_do_no_harm(dsn: str) -> None:
    failed: list[Exception] = []

    def run() -> None:
        client = connect(dsn, create=True)
        try:
            migrate(client, Target(database_of(dsn)))
        except ClickHouseError as error:
            failed.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = connect(dsn)
    assert (failed, plan(client, Target(database_of(dsn)))) == ([], [])
    client.insert_json("usage_landing", [usage()])
    assert client.query("SELECT sum(calls) FROM usage").rows == [(1,)]
    client.close()


def test_on_a_cluster_every_table_is_replicated_and_copies_of_a_key_meet_on_one_shard(database: Client) -> None:
    rendered = [statement for step in steps(Target("ledger", "prod")) for statement in step.statements]
    for statement in rendered:
        database.query(f"EXPLAIN AST {statement}")
        assert "ON CLUSTER 'prod'" in statement
        assert "{{" not in statement
    tables = [statement for statement in rendered if statement.startswith("CREATE TABLE")]
    stored = [table for table in tables if "MergeTree" in table]
    assert all("ENGINE = Replicated" in table for table in stored)
    distributed = [table for table in tables if "Distributed(" in table]
    everywhere = [table for table in stored if "'{shard}-{replica}')" in table]
    made = [
        ["prices"],
        ["exchange_rates"],
        ["usage_days"],
        ["usage_day_builds"],
        ["budgets"],
        ["alerts"],
        ["alert_checks"],
        ["findings"],
        ["removals"],
        ["retention_rules"],
    ]
    assert [re.findall(r"EXISTS (\w+)", table) for table in everywhere] == made, "the same rows on every node"
    assert len(distributed) == len(stored) - len(everywhere)
    (landing,) = [table for table in distributed if " usage_landing " in table]
    assert "Distributed('prod', 'ledger', 'usage_landing_local', cityHash64(JSONExtractString(Body, 'key')))" in landing
    views = [statement for statement in rendered if statement.startswith("CREATE MATERIALIZED VIEW")]
    assert views
    assert all("_local" in view or "FROM usage_parsed" in view for view in views)
    assert len([statement for statement in rendered if "MODIFY QUERY" in statement]) == len(views)
    opened = next(number for number, statement in enumerate(rendered) if "DROP CONSTRAINT" in statement)
    assert opened > max(rendered.index(view) for view in views if " usage_" in view)


def test_a_hostile_clusters_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name of a cluster"):
        Target("ledger", "x' ENGINE")
