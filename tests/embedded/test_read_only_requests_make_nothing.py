"""A GET, and a request with `readonly`, makes no row, no table and no file, whatever the statement and its settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.embedded import ask, ask_text
from tokentrail.embedded.server import Addresses
from tokentrail.embedded.statement import read_only_level

FILE = "file('{folder}/made', 'CSV', 'a Int8')"
MAKING = [
    f"INSERT INTO FUNCTION {FILE} SELECT 1",
    f"INSERT INTO FUNCTION {FILE} VALUES (1)",
    f"INSERT INTO TABLE FUNCTION {FILE} FORMAT CSV 1",
    f"insert into function {FILE} SELECT 1 SETTINGS readonly = 0",
    f"WITH x AS (SELECT 1) INSERT INTO FUNCTION {FILE} SELECT * FROM x",
    f"EXPLAIN PIPELINE INSERT INTO FUNCTION {FILE} SELECT 1",
    "CREATE TEMPORARY TABLE made ENGINE = File(CSV, '{folder}/made') AS SELECT 1",
    "SELECT * FROM sqlite('{folder}/made', 't')",
    "SELECT * FROM (SELECT * FROM SQLite /* */ ('{folder}/made', 't') SETTINGS readonly = 0)",
    "SELECT 1 INTO OUTFILE '{folder}/made'",
    "SELECT 1 INTO OUTFILE '{folder}/made' FORMAT CSV",
    "INSERT INTO FUNCTION url('http://127.0.0.1:9/made', 'CSV', 'a Int8') SELECT 1",
    "INSERT INTO FUNCTION null('a Int8') SELECT 1",
    "BACKUP DATABASE tokentrail TO File('made')",
    "backup /* */ TABLE tokentrail.usage_ledger TO File('made') SETTINGS readonly = 0",
    "BACKUP ALL TO File('made')",
    "-- a copy\nRESTORE DATABASE tokentrail AS made FROM File('made')",
    "RESTORE TABLE tokentrail.usage_ledger AS tokentrail.made FROM File('made')",
]


@pytest.mark.parametrize("statement", MAKING)
@pytest.mark.parametrize(("method", "readonly"), [("GET", {}), ("GET", {"readonly": "0"}), ("GET", {"readonly": "2"}), ("POST", {"readonly": "2"})])
def test_it_is_refused(server: Addresses, tmp_path: Path, statement: str, method: str, readonly: dict[str, str]) -> None:
    refused = ask(server.http, method, "/", query=statement.format(folder=tmp_path), **readonly)
    assert refused.status != 200
    assert refused.headers["x-clickhouse-exception-code"] in ("164", "196")  # READONLY, INTO_OUTFILE_NOT_ALLOWED
    assert list(tmp_path.iterdir()) == []
    assert not (Path(server.data) / "backups").exists()


@pytest.mark.parametrize("statement", ["SET readonly = 0", "SELECT 1 SETTINGS readonly = 0"])
def test_it_stays_read_only(server: Addresses, statement: str) -> None:
    assert ask(server.http, "GET", "/", query=statement).headers["x-clickhouse-exception-code"] == "164"


def test_what_only_reads_keeps_settings_of_its_own(server: Addresses) -> None:
    statement = "SELECT 'INSERT', `create` /* ATTACH */ FROM (SELECT 1 AS `create`) SETTINGS max_threads = 1"
    assert ask(server.http, "GET", "/", query=statement).text == "INSERT\t1\n"


@pytest.mark.parametrize("statement", ["SELECT 'BACKUP DATABASE x'", "SELECT 1 AS backup", "WITH 1 AS restore SELECT restore"])
def test_the_words_alone_copy_nothing(server: Addresses, statement: str) -> None:
    assert ask(server.http, "GET", "/", query=statement).status == 200


def test_a_request_that_may_write_writes(server: Addresses, tmp_path: Path) -> None:
    ask_text(server, f"INSERT INTO FUNCTION file('{tmp_path}/made', 'CSV', 'a Int8') SELECT 1")
    assert (tmp_path / "made").read_text() == "1\n"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SELECT (SELECT 1 FROM (insert))", True),
        ("-- INSERT\nSELECT 'INSERT', \"INSERT\", `INSERT`, $x$INSERT$x$, inserted", False),
        ("SELECT 'it''s' INSERT", True),
    ],
)
def test_only_words_count(text: str, made: bool) -> None:
    assert read_only_level(text.encode()) == ("1" if made else "2")
