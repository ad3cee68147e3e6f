"""The same client code through clickhouse-connect, against ClickHouse's HTTP interface as `tokentrail serve` opens it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.ledger_rows import claimed, closing, usage
from tokentrail import semconv
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import ClickHouseError, Client, HttpClient, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger import quarantine
from tokentrail.ledger.report import report
from tokentrail.ledger.verify import verify

HOSTILE = "a'b\\c\t\"\n💥, ] {x:String} %s"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("served")) as server:
        yield server.addresses.http


@pytest.fixture(scope="module")
def over_http(served: str) -> Iterator[Client]:
    client = connect(f"{served}/second", create=True)
    migrate(client, Target("second"))
    client.insert_json(
        "usage_landing",
        [
            usage(seq=1),
            usage(seq=2),
            usage(seq=2),
            closing(3),
            claimed("k", by="w2", seq=1, tenant=HOSTILE),
            usage(by="w2", seq=2, attributes={semconv.SCHEMA: 3}),
        ],
    )
    yield client
    client.close()


def test_a_second_database_can_be_migrated_beside_the_first(served: str, over_http: Client) -> None:
    assert plan(over_http, Target("second")) == []
    first = connect(f"{served}/tokentrail")
    assert (plan(first, Target("tokentrail")), verify(first).writers) == ([], [])
    first.close()


def test_reports_are_exact_and_parameters_hold_anything(over_http: Client) -> None:
    assert [row["calls"] for row in report(over_http, ["provider"])] == [3]
    assert [row["tenant_id"] for row in report(over_http, ["tenant_id"], tenants=[HOSTILE])] == [HOSTILE]
    assert over_http.query("SELECT {text:String}, {n:UInt64}, {list:Array(String)}", {"text": HOSTILE, "n": 7, "list": [HOSTILE, ""]}).rows == [
        (HOSTILE, 7, [HOSTILE, ""])
    ]


def test_numbers_come_back_as_numbers_and_times_as_text(over_http: Client) -> None:
    assert over_http.query("SELECT toUInt64(18446744073709551615), toInt64(-1), 0.5, NULL, true, [toUInt64(1)], toDate('2026-11-01')").rows == [
        (18446744073709551615, -1, 0.5, None, True, [1], "2026-11-01")
    ]


def test_verify_and_replay_work(over_http: Client) -> None:
    assert sorted(writer.state for writer in verify(over_http).writers) == ["missing", "open"]
    assert quarantine.replay(over_http).remaining == 1


def test_read_only_is_enforced_by_the_server(over_http: Client) -> None:
    assert over_http.query("SELECT 1", read_only=True).rows == [(1,)]
    with pytest.raises(ClickHouseError, match="READONLY"):
        over_http.query("TRUNCATE TABLE usage_ledger", read_only=True)
    assert over_http.query("SELECT sum(calls) FROM usage").rows == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "BACKUP TABLE victim TO Memory('made')",
        "/* */ -- all\n restore TABLE victim AS other FROM Memory('made')",
        "CREATE TABLE other (a Int8) ENGINE = Memory PARALLEL WITH BACKUP TABLE victim TO Memory('made')",
    ],
)
def test_a_copy_is_refused_before_a_server_is_asked(database: Client, statement: str) -> None:
    """No level of `readonly` refuses these statements."""
    database.command("CREATE TABLE victim (a Int8) ENGINE = MergeTree ORDER BY a AS SELECT 1")
    with pytest.raises(ClickHouseError, match="BACKUP and RESTORE write"):
        database.query(statement, read_only=True)
    assert database.query("SELECT 'BACKUP TABLE victim'", read_only=True).rows == [("BACKUP TABLE victim",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE victim SETTINGS readonly = 0",
        "TRUNCATE TABLE victim SETTINGS readonly=0",
        "INSERT INTO victim SELECT 7 SETTINGS readonly=0",
        "ALTER TABLE victim DELETE WHERE 1 SETTINGS readonly=0, mutations_sync=1",
    ],
)
def test_a_statement_cannot_lift_read_only_by_its_own_settings(served: str, over_http: Client, statement: str) -> None:
    over_http.command("CREATE TABLE IF NOT EXISTS victim (a Int8) ENGINE = MergeTree ORDER BY a AS SELECT 1")
    with pytest.raises(ClickHouseError, match="READONLY"):
        over_http.query(statement, read_only=True)
    with pytest.raises(ClickHouseError, match="READONLY"), over_http.stream(statement, "CSV", read_only=True):
        pass
    told = CliRunner().invoke(cli, ["sql", statement, "--dsn", f"{served}/second"])
    assert (told.exit_code, "code 164" in told.stderr) == (2, True)
    assert over_http.query("SELECT a FROM victim").rows == [(1,)]


@pytest.mark.parametrize("before", ["", "WITH 1 AS k "])
def test_nothing_is_written_into_a_file_either(over_http: Client, database: Client, tmp_path: Path, before: str) -> None:
    statement = f"{before}INSERT INTO FUNCTION file('{tmp_path}/made.csv', 'CSV', 'a Int8') SELECT 1"
    for client in (over_http, database):
        with pytest.raises(ClickHouseError, match="READONLY"):
            client.query(statement, read_only=True)
        with pytest.raises(ClickHouseError, match="READONLY"), client.stream(statement, "CSV", read_only=True) as answer:
            list(answer.pieces)
    assert list(tmp_path.iterdir()) == []
    assert over_http.query("SELECT 1 SETTINGS max_threads = 1", read_only=True).rows == [(1,)]


def test_a_user_who_is_read_only_already_can_read(served: str, over_http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile of such a user is put on the wire: the embedded server has no users."""
    client = connect(f"{served}/second")
    assert isinstance(client, HttpClient)
    ask, stream = client.driver.raw_query, client.driver.raw_stream

    def limited(way: Any) -> Any:
        def call(sql: str, *arguments: Any, settings: dict[str, str], **more: Any) -> Any:
            if "readonly" in settings:
                raise DatabaseError("Code: 164. DB::Exception: Cannot modify 'readonly' setting in readonly mode. (READONLY)")
            return way(sql, *arguments, settings={"readonly": "1"}, **more)

        return call

    monkeypatch.setattr(client.driver, "raw_query", limited(ask))
    monkeypatch.setattr(client.driver, "raw_stream", limited(stream))
    assert client.query("SELECT 1", read_only=True).rows == [(1,)]
    with client.stream("SELECT 2", "CSV", read_only=True) as answer:
        assert b"".join(answer.pieces) == b"2\n"
    with pytest.raises(ClickHouseError, match="READONLY"):
        client.query("TRUNCATE TABLE usage_ledger", read_only=True)
    client.close()


def test_errors_have_their_code_and_one_line(over_http: Client) -> None:
    with pytest.raises(ClickHouseError, match=r"code 60.*tokentrail migrate") as raised:
        over_http.query("SELECT * FROM nowhere")
    assert raised.value.code == 60
    assert "\n" not in str(raised.value)


def test_the_commands_work(served: str, over_http: Client) -> None:
    assert over_http
    runner = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": f"{served}/second"})
    assert json.loads(runner.invoke(cli, ["report", "--by", "provider", "--json"]).stdout)[0]["calls"] == 3
    assert runner.invoke(cli, ["verify"]).exit_code == 1
    assert "is current" in runner.invoke(cli, ["migrate"]).stdout
    assert runner.invoke(cli, ["report", "--dsn", f"{served}/nothing"]).exit_code == 2
