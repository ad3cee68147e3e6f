from __future__ import annotations

import gzip
import json

import lz4.frame
import pytest

from tests.support.embedded import ask, ask_text, new_table, number
from tokentrail.embedded.server import Addresses


def test_ping_and_root(server: Addresses) -> None:
    assert ask(server.http, "GET", "/ping").body == b"Ok.\n"
    assert ask(server.http, "GET", "/").body == b"Ok.\n"
    head = ask(server.http, "HEAD", "/ping")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "1\n"),
        ("SELECT 1;", "1\n"),
        ("(SELECT 1) UNION ALL (SELECT 1)", "1\n1\n"),
        ("-- a comment\nSELECT /* FORMAT JSON */ 'FORMAT JSON; x' FORMAT TabSeparatedRaw", "FORMAT JSON; x\n"),
        ("SELECT 1 AS x, 2 AS y FORMAT CSVWithNames", '"x","y"\n1,2\n'),
        ("SELECT number AS n FROM numbers(100000) LIMIT 99999, 1 FORMAT JSONEachRow SETTINGS max_block_size = 10", '{"n":99999}\n'),
        ("SELECT 1 AS format ORDER BY format DESC", "1\n"),
        ("SELECT 1 AS x FORMAT `CSVWithNames`", '"x"\n1\n'),
        ('SELECT 1 AS x FORMAT "CSVWithNames" SETTINGS max_threads = 1', '"x"\n1\n'),
        ("\u00a0\ufeffSELECT\u30001", "1\n"),
        ("\u2212 1", "-1\n"),
        ("(SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k)", "0\t5\n1\t5\n\n0\t10\n"),
        ("SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k", "0\t5\n1\t5\n\n0\t10\n"),
        ("SHOW TABLES FROM system LIKE 'one'", "one\n"),
        ("SELECT 1 WHERE 0", ""),
    ],
)
def test_statements(server: Addresses, sql: str, expected: str) -> None:
    assert ask(server.http, "POST", "/", sql).text == expected
    assert ask(server.http, "POST", "/", b"", query=sql).text == expected
    assert ask(server.http, "GET", "/", query=sql).text == expected


def test_a_statement_may_be_split_between_url_and_body(server: Addresses) -> None:
    assert ask(server.http, "POST", "/", "+ 1 FORMAT CSV", query="SELECT 1").text == "2\n"


def test_a_whole_document_is_one_document(server: Addresses) -> None:
    document = json.loads(ask(server.http, "POST", "/", "SELECT number FROM numbers(200000) FORMAT JSONCompact").body)
    assert document["rows"] == len(document["data"]) == 200_000


def test_settings_and_database_hold_for_one_request_only(server: Addresses) -> None:
    assert ask_text(server, "SELECT getSetting('max_threads'), currentDatabase()", max_threads="7") == "7\ttokentrail"
    assert ask(server.http, "POST", "/", "SELECT getSetting('max_threads') = 7, currentDatabase()").text == "0\tdefault\n"


@pytest.mark.parametrize(
    ("sql", "query", "status", "code"),
    [
        ("SELEC 1", {}, 400, 62),
        ("", {}, 400, 62),
        ("SELECT 1; SELECT 2", {}, 400, 62),
        *(
            (rubbish, {}, 400, 62)
            for rubbish in ("é SELECT 1", "`", "'", '"x', "#", "#x", "!", "&&1", "\\d", "\x01", "/* a */ é", "й", "q", "exit;", "q FORMAT CSV")
        ),
        ("SELECT * FROM no_such_table", {}, 404, 60),
        ("SELECT no_such_column", {}, 404, 47),
        ("SELECT 1", {"database": "no_such_database"}, 404, 81),
        ("SELECT 1", {"no_such_setting": "1"}, 404, 115),
        ("SELECT 1", {"x y`": "1"}, 404, 115),
        ("SELECT 1 FORMAT NoSuchFormat", {}, 404, 73),
    ],
)
def test_errors_have_a_code_and_close_the_connection(server: Addresses, sql: str, query: dict[str, str], status: int, code: int) -> None:
    reply = ask(server.http, "POST", "/", sql, **query)
    assert (reply.status, reply.headers["x-clickhouse-exception-code"], reply.headers["connection"]) == (status, str(code), "close")
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")


def test_a_statement_that_is_no_text_is_told(server: Addresses) -> None:
    for statement in (b"SELECT '\xff'", b"INSERT INTO `\xff` VALUES (1)"):
        reply = ask(server.http, "POST", "/", statement)
        assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (400, "62")
        assert "is no UTF-8 text" in reply.text


def test_a_failed_statement_leaves_nothing_in_the_next_answer(server: Addresses) -> None:
    failed = ask(server.http, "POST", "/", "SELECT throwIf(number = 70000) FROM numbers(100000) FORMAT JSON")
    assert failed.headers["x-clickhouse-exception-code"] == "395"
    assert ask(server.http, "POST", "/", "SELECT 1").text == "1\n"


def test_get_only_reads(server: Addresses) -> None:
    table = new_table(server)
    refused = ask(server.http, "GET", "/", database="tokentrail", query=f"DROP TABLE {table}")
    assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (403, "164")
    assert number(server, f"SELECT count() FROM {table}") == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_read_only_with_other_settings_and_a_database(server: Addresses, method: str) -> None:
    sql = "SELECT getSetting('readonly'), getSetting('max_threads'), currentDatabase()"
    for level in ("1", "2"):
        reply = ask(server.http, method, "/", query=sql, readonly=level, max_threads="3", database="tokentrail")
        assert reply.text == f"{level}\t3\ttokentrail\n"
    assert ask(server.http, "GET", "/", query="SELECT getSetting('readonly')", readonly="0").text == "2\n"


def test_long_urls(server: Addresses) -> None:
    assert ask(server.http, "POST", "/", "SELECT length({text:String})", param_text="x" * 500_000).text == "500000\n"


def test_inserts_from_url_and_body_in_any_encoding(server: Addresses) -> None:
    table = new_table(server)
    statement = f"INSERT INTO tokentrail.{table} (a, s) FORMAT JSONEachRow"
    line = b'{"a": 1, "s": "x"}\n'
    replies = [
        ask(server.http, "POST", "/", line, query=statement),
        ask(server.http, "POST", "/", statement.encode() + b"\n" + line),
        ask(server.http, "POST", "/", [line[:5], line[5:]], query=statement),
        ask(server.http, "POST", "/", gzip.compress(line), {"Content-Encoding": "gzip"}, query=statement),
        ask(server.http, "POST", "/", lz4.frame.compress(line), {"Content-Encoding": "lz4"}, query=statement),
        ask(server.http, "POST", "/", f"INSERT INTO tokentrail.{table} VALUES (1, 'x')"),
        ask(server.http, "POST", "/", "(1, 'x')", query=f"INSERT INTO tokentrail.{table} VALUES"),
        ask(server.http, "POST", "/", f"INSERT INTO tokentrail.{table} VALUES ({{a:UInt64}}, {{s:String}})", param_a="1", param_s="x"),
        ask(server.http, "POST", "/", f"INSERT INTO tokentrail.{table} SELECT 1, 'x'"),
    ]
    assert [reply.status for reply in replies] == [200] * 9, [reply.text for reply in replies]
    assert json.loads(replies[0].headers["x-clickhouse-summary"])["written_rows"] == "1"
    assert ask_text(server, f"SELECT count(), uniqExact(a, s), any(s) FROM {table}") == "9\t1\tx"


def test_gzip_answers_where_they_are_accepted(server: Addresses) -> None:
    plain = ask(server.http, "POST", "/", "SELECT number FROM numbers(100000)")
    packed = ask(server.http, "POST", "/", "SELECT number FROM numbers(100000)", {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    error = ask(server.http, "POST", "/", "SELECT x", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(error.body).startswith(b"Code: 47.")


def test_the_engine_keeps_universal_time(server: Addresses) -> None:
    assert ask_text(server, "SELECT timezone(), toDateTime(0)").endswith("UTC\t1970-01-01 00:00:00")


def test_an_answer_states_its_rows(server: Addresses) -> None:
    table = new_table(server)
    ask_text(server, f"INSERT INTO {table} SELECT number, '' FROM numbers(1000)")
    asked = {"default_format": "RowBinaryWithNamesAndTypes", "wait_end_of_query": "1", "database": "tokentrail"}
    for sql, result_rows, read_rows in ((f"SELECT sum(a) FROM {table}", 1, 1000), (f"SELECT a FROM {table} WHERE a < 7", 7, 1000)):
        summary = json.loads(ask(server.http, "POST", "/", sql, **asked).headers["x-clickhouse-summary"])
        assert (summary["result_rows"], summary["read_rows"], summary["written_rows"]) == (str(result_rows), str(read_rows), "0")
