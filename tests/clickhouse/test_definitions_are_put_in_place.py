"""Views are what this version's files say: changed, dropped or altered by hand, they are named and put back."""

from __future__ import annotations

import itertools

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import claimed, usage
from tests.support.sql_files import ADDS_ONE_MORE, add, edit, know_one_count_more
from tokentrail import vocabulary
from tokentrail.cli.migrate import command
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.definitions import Definition, definitions, in_order
from tokentrail.clickhouse.migrate import Kind, MigrationError, lost_tables, migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.clickhouse import check_clickhouse
from tokentrail.ledger.verify import verify

VIEWS = [definition.name for definition in definitions(Target("x"))]


def named(database: Client) -> list[tuple[str, str]]:
    """What is to be run, with its reason."""
    return [(step.name, step.reason) for step in plan(database, Target(database.database))]


def test_a_changed_view_is_put_in_place_again(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "usage", "One row per usage, each", "Each usage")
    assert named(database) == [("usage", "has changed"), ("usage_fresh_days", "has changed")]  # sums made by the former view count no more
    assert [step.kind for step in migrate(database, Target(database.database))] == [Kind.DEFINITION, Kind.DEFINITION]
    ((comment,),) = database.query("SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'usage'").rows
    assert comment.startswith("Each usage")
    assert named(database) == []


def test_a_changed_materialized_view_goes_by_its_new_text(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        edit(later, "usage_parse", "tupleElement(said, 'tenant_id') AS", "upper(tupleElement(said, 'tenant_id')) AS")
        assert [step.name for step in migrate(database, Target(database.database))] == ["usage_parse"]
        database.insert_json("usage_landing", [usage(seq=1)])
    assert named(database) == [("usage_parse", "has changed")]
    migrate(database, Target(database.database))
    database.insert_json("usage_landing", [usage(seq=2)])
    assert database.query("SELECT tenant_id FROM usage ORDER BY seq").rows == [("ACME",), ("acme",)]


def test_a_new_word_types_the_rows_that_are_already_there(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    database.insert_json("usage_landing", [usage(operation="haiku")])
    assert database.query("SELECT operation FROM usage").rows == [("unknown",)]
    grown = vocabulary.Word("Operation", {word.name: word.value for word in vocabulary.Operation} | {"HAIKU": "haiku"})
    monkeypatch.setattr(vocabulary, "Operation", grown)
    changed = [step.name for step in migrate(database, Target(database.database))]
    assert sorted(changed) == ["usage", "usage_builds", "usage_cost", "usage_daily", "usage_fresh_days", "usage_kept"]
    assert database.query("SELECT operation FROM usage").rows == [("haiku",)]


def test_a_dropped_view_is_named_and_put_back(database: Client) -> None:
    for seq, view in enumerate(VIEWS, start=1):
        database.command(f"DROP VIEW {view} SYNC")
        assert named(database) == [(view, "is missing")]
        migrate(database, Target(database.database))
        assert named(database) == []
        database.insert_json("usage_landing", [usage(seq=seq)])
        assert database.query("SELECT sum(calls) FROM usage").rows == [(seq,)]
    assert verify(database).findings == []


def test_a_view_that_was_changed_by_hand_is_named_and_put_back(database: Client, dsn: str) -> None:
    database.command("ALTER TABLE usage_to_ledger MODIFY QUERY SELECT * FROM usage_parsed WHERE 0")
    database.command("CREATE OR REPLACE VIEW usage AS SELECT 1 AS calls")
    assert named(database) == [("usage_to_ledger", "is not what was put in place"), ("usage", "is not what was put in place")]
    (finding,) = check_clickhouse(dsn)
    assert finding.sentence.endswith("usage_to_ledger is not what was put in place, usage is not what was put in place: tokentrail migrate")
    checked = CliRunner().invoke(command, ["--dsn", dsn, "--check"])
    assert (checked.exit_code, checked.stdout.splitlines()[1][:70]) == (1, "would apply  definition usage, which is not what was put in place  (1 ")
    ran = CliRunner().invoke(command, ["--dsn", dsn]).stdout.splitlines()
    assert CliRunner().invoke(command, ["--dsn", dsn, "--check"]).exit_code == 0
    assert ran[1] == "applied  definition usage, which is not what was put in place  (1 statement)"
    database.insert_json("usage_landing", [usage()])
    assert (named(database), database.query("SELECT sum(calls), any(tenant_id) FROM usage").rows) == ([], [(1, "acme")])


def test_a_view_that_was_made_to_feed_another_table_is_made_anew(database: Client) -> None:
    database.command("CREATE TABLE elsewhere AS usage_ledger")
    database.command("DROP VIEW usage_to_ledger SYNC")
    database.command("CREATE MATERIALIZED VIEW usage_to_ledger TO elsewhere AS SELECT key_ts, key_hash FROM usage_parsed")
    assert named(database) == [("usage_to_ledger", "is not what was put in place")]
    migrate(database, Target(database.database))
    database.insert_json("usage_landing", [usage()])
    assert (named(database), database.query("SELECT sum(calls) FROM usage").rows) == ([], [(1,)])


def test_a_table_in_a_views_place_is_not_dropped(database: Client) -> None:
    database.command("DROP VIEW usage SYNC")
    database.command("CREATE TABLE usage (a Int8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(MigrationError, match="usage is a table in database"):
        migrate(database, Target(database.database))


def test_a_changed_view_waits_for_a_table_that_is_lost(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(database.database)
    edit(monkeypatch, "usage", "One row per usage, each", "Each usage")
    database.command("DROP TABLE usage_ledger SYNC")
    assert (named(database), lost_tables(database, target)) == ([], ["usage_ledger"])
    assert [step.name for step in migrate(database, target, empty_tables=True)] == ["usage_ledger", "usage", "usage_fresh_days"]
    assert (named(database), database.query("SELECT count() FROM usage").rows) == ([], [(0,)])


def test_a_table_that_a_migration_dropped_is_not_missed(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, "migrations", "9001_fewer", "DROP TABLE IF EXISTS otel_metrics_summary{{on_cluster}} SYNC;")
    migrate(database, Target(database.database))
    assert named(database) == []


def test_a_column_that_the_table_lacks_is_named_before_anything_is_changed(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "usage_to_quarantine", "EventName\n", "EventName, EventName AS forgotten\n")
    with pytest.raises(MigrationError, match="usage_to_quarantine gives forgotten, a column that quarantine does not have"):
        migrate(database, Target(database.database))
    query = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND as_select LIKE '%forgotten%'"
    assert database.query(query).rows == [(0,)]


def test_a_count_that_comes_later_is_one_line_and_one_migration(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [usage(seq=1), claimed("k", seq=2)]
    database.insert_json("usage_landing", before)
    know_one_count_more(monkeypatch)
    migrate(database, Target(database.database))
    stated = [
        usage(seq=3, more={"held_tokens": 7}),
        claimed("k3", seq=4, more={"held_tokens": 8}),
        usage(seq=5, content="bad", more={"held_tokens": "many"}),
    ]
    database.insert_json("usage_landing", [*before, *stated])
    assert database.query("SELECT seq, held_tokens FROM usage ORDER BY seq").rows == [(1, None), (2, None), (3, 7), (4, 8)]
    assert database.query("SELECT reason FROM quarantine").rows == [("bad count: held_tokens is not a whole number within a trillion",)]
    assert verify(database).conflicts == []  # what was said before is said again, and is the same
    database.insert_json("usage_landing", [claimed("k3", seq=6, more={"held_tokens": 9})])
    assert {said["key"] for said in verify(database).conflicts} == {"k3"}
    database.insert_json("usage_landing", [claimed("k", seq=7, more={"held_tokens": 0})])  # 0 is a statement
    assert {said["key"] for said in verify(database).conflicts} == {"k", "k3"}


def test_a_column_that_comes_later_is_in_the_distributed_table_too() -> None:
    statements = sqlfiles.statements(sqlfiles.render(ADDS_ONE_MORE, Target("ledger", "prod")))
    assert [" ".join(statement.split()).split(" ADD ")[0] for statement in statements] == [
        "ALTER TABLE usage_parsed ON CLUSTER 'prod'",
        "ALTER TABLE usage_ledger_local ON CLUSTER 'prod'",
        "ALTER TABLE usage_days ON CLUSTER 'prod'",
        "ALTER TABLE usage_ledger ON CLUSTER 'prod'",
    ]


def test_every_definition_has_a_file_of_its_name() -> None:
    assert sorted(VIEWS) == sqlfiles.names("definitions")
    with pytest.raises(ValueError, match="makes b: a file has its view's name"):
        Definition("a", "CREATE OR REPLACE VIEW b AS SELECT 1")
    with pytest.raises(ValueError, match="does not begin with a view"):
        Definition("a", "CREATE VIEW a AS SELECT 1")


def test_views_come_in_an_order_in_which_none_reads_what_is_yet_to_come() -> None:
    made = [
        Definition("prices", "CREATE OR REPLACE VIEW prices AS SELECT * FROM usage"),
        Definition("usage", "CREATE OR REPLACE VIEW usage AS SELECT * FROM ledger"),
        Definition("parse", "CREATE MATERIALIZED VIEW IF NOT EXISTS parse TO parsed AS SELECT * FROM landing"),
        Definition("to_ledger", "CREATE MATERIALIZED VIEW IF NOT EXISTS to_ledger TO ledger AS SELECT * FROM parsed"),
    ]
    for given in itertools.permutations(made):
        order = [definition.name for definition in in_order(given)]
        assert order.index("usage") < order.index("prices")
        assert order.index("to_ledger") < order.index("parse")
    assert VIEWS.index("usage_parse") > max(VIEWS.index(name) for name in VIEWS if name.startswith("usage_to_"))
