"""Rows and bytes pass through as ClickHouse makes them; what is left out or broken off is said; the reader may leave at any time."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from tests.support.embedded import number
from tests.support.terminal import TOKENTRAIL, assert_one_sentence, at_terminal, in_process
from tests.support.waiting import wait_until
from tokentrail.cli import main
from tokentrail.cli.group import cli
from tokentrail.cli.output import number_repeated
from tokentrail.clickhouse.values import reading
from tokentrail.embedded.server import Addresses

TWO = "SELECT number AS n, 'a,b' AS t FROM numbers(2)"
SLOW = "SELECT number, sleepEachRow(0.02) FROM numbers(100000) SETTINGS max_block_size = 5, function_sleep_max_microseconds_per_block = 3000000"
MANY = "SELECT number, toString(number) AS text, number / 7 AS ratio FROM numbers(400000)"


def sql(served: str, statement: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    ran = CliRunner().invoke(cli, ["sql", statement, "--dsn", served, *arguments])
    return subprocess.CompletedProcess([], ran.exit_code, ran.stdout_bytes, ran.stderr_bytes)


@pytest.mark.parametrize(
    ("clause", "wanted"),
    [
        ("FORMAT CSV", b'0,"a,b"\n1,"a,b"\n'),
        ("format TSVWithNames", b"n\tt\n0\ta,b\n1\ta,b\n"),
        ("FORMAT JSONEachRow", b'{"n":0,"t":"a,b"}\n{"n":1,"t":"a,b"}\n'),
        ("FORMAT Vertical", "Row 1:\n──────\nn: 0\nt: a,b\n\nRow 2:\n──────\nn: 1\nt: a,b\n".encode()),
        ("FORMAT JSONCompactEachRowWithNamesAndTypes", b'["n", "t"]\n["UInt64", "String"]\n[0, "a,b"]\n[1, "a,b"]\n'),
        ("FORMAT Null", b""),
        ("/* FORMAT Null */ FORMAT RowBinary -- FORMAT CSV", b"\0\0\0\0\0\0\0\0\x03a,b\x01\0\0\0\0\0\0\0\x03a,b"),
        ("SETTINGS max_threads = 1 FORMAT CSV;", b'0,"a,b"\n1,"a,b"\n'),
    ],
)
def test_a_format_clause_is_honoured_byte_by_byte(served: str, clause: str, wanted: bytes) -> None:
    ran = sql(served, f"{TWO} {clause}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, wanted, b"")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'x FORMAT CSV' AS format",
        "SELECT 1 AS format -- FORMAT CSV",
        "SELECT `format` FROM (SELECT 1 AS format) ORDER BY format DESC",
        "SELECT 1 AS format /* FORMAT TSV */",
    ],
)
def test_what_only_looks_like_one_is_none(served: str, statement: str) -> None:
    (row,) = json.loads(sql(served, statement, "--json").stdout)
    assert list(row) == ["format"]


def test_a_format_named_in_a_text_is_no_clause(served: str) -> None:
    statement = "SELECT 'JSONCompactEachRowWithNamesAndTypes' AS x"
    assert sql(served, statement, "--format", "csv").stdout == b"x\nJSONCompactEachRowWithNamesAndTypes\n"
    assert json.loads(sql(served, statement, "--json").stdout) == [{"x": "JSONCompactEachRowWithNamesAndTypes"}]


def test_json_keeps_columns_of_one_name(served: str) -> None:
    statement = "SELECT l.t, r.t, 3 AS t_1, s.t FROM (SELECT 1 AS t) l CROSS JOIN (SELECT 2 AS t) r CROSS JOIN (SELECT 4 AS t) s"
    columns = sql(served, statement, "--format", "csv").stdout.decode().splitlines()[0].split(",")
    (row,) = json.loads(sql(served, statement, "--json").stdout)
    assert list(row.values()) == [1, 2, 3, 4], columns
    (row,) = json.loads(sql(served, "SELECT 1 AS a, u.a FROM (SELECT 3 AS a) AS u", "--json").stdout)
    assert len(row) == 2
    assert number_repeated(["a", "a", "a_1", "a"]) == ["a", "a_2", "a_1", "a_3"]


def test_any_format_of_clickhouse_can_be_named_as_an_option(served: str) -> None:
    parquet = sql(served, TWO, "--format", "Parquet").stdout
    assert (parquet[:4], parquet[-4:]) == (b"PAR1", b"PAR1")
    assert sql(served, f"{TWO} FORMAT Parquet").stdout[:4] == b"PAR1"
    assert sql(served, TWO, "--format", "JSONEachRow").stdout.count(b"\n") == 2


@pytest.mark.parametrize("written", ["Parquet", "Native", "ArrowStream", "RowBinary", "ORC", "Avro"])
def test_binary_formats_do_not_go_to_a_terminal(served: str, written: str) -> None:
    ran = at_terminal("sql", f"{TWO} FORMAT {written}", "--dsn", served)
    assert ran.out == ""
    assert_one_sentence(ran, f"{written} is binary", ">")


def test_text_formats_do(served: str) -> None:
    assert at_terminal("sql", f"{TWO} FORMAT TSV", "--dsn", served).out == "0\ta,b\n1\ta,b\n"


def test_a_file_of_the_servers_own_is_refused_and_none_is_made(served: str, tmp_path: Path) -> None:
    for more in ([], ["--write"]):
        ran = in_process("sql", f"SELECT 1 INTO OUTFILE '{tmp_path}/there' FORMAT CSV", "--dsn", served, *more)
        assert_one_sentence(ran, "INTO OUTFILE", "redirect standard output")
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_format_is_named(served: str) -> None:
    assert_one_sentence(in_process("sql", "SELECT 1", "--dsn", served, "--format", "tabel"), "Unknown format tabel", "Did you mean table?")
    assert_one_sentence(in_process("sql", "SELECT 1 FORMAT Parket", "--dsn", served), "Unknown format")


def test_a_statement_without_an_answer_prints_nothing(served: str) -> None:
    for statement in (
        "CREATE TABLE IF NOT EXISTS scratch (n UInt8) ENGINE = MergeTree ORDER BY n",
        "INSERT INTO scratch VALUES (1), (2)",
        "TRUNCATE TABLE scratch",
    ):
        ran = sql(served, statement, "--write")
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b""), statement


def test_an_answer_without_rows_still_names_its_columns(served: str) -> None:
    nothing = "SELECT number AS n FROM numbers(5) WHERE number > 9"
    assert sql(served, nothing).stdout.split()[0] == b"n"
    assert sql(served, nothing, "--format", "csv").stdout == b"n\n"
    assert sql(served, f"{nothing} FORMAT CSVWithNames").stdout == b'"n"\n'
    assert json.loads(sql(served, nothing, "--json").stdout) == []


def test_values_are_as_exact_as_clickhouse_writes_them(served: str) -> None:
    statement = "SELECT toUInt64(-1) AS most, toDecimal64('1.10', 2) AS money, 1e-7 AS small, [1, NULL] AS list, map('k', 'v') AS map, NULL AS nothing, true AS yes, '\"é\n' AS text, unhex('ff') AS byte"
    (row,) = json.loads(sql(served, statement, "--json").stdout)
    assert row == {
        "most": 2**64 - 1,
        "money": 1.1,
        "small": 1e-7,
        "list": [1, None],
        "map": {"k": "v"},
        "nothing": None,
        "yes": True,
        "text": '"é\n',
        "byte": "�",
    }
    head, values = csv.reader(io.StringIO(sql(served, statement, "--format", "csv").stdout.decode()))
    assert dict(zip(head, values, strict=True)) == {
        "most": "18446744073709551615",
        "money": "1.1",
        "small": "1e-7",
        "list": "[1, null]",
        "map": '{"k": "v"}',
        "nothing": "",
        "yes": "true",
        "text": '"é\n',
        "byte": "�",
    }


EXACT = [
    ("nan", "nan", None),
    ("-inf", "-inf", None),
    ("CAST(inf AS Nullable(Float32))", "inf", None),
    ("toFloat64(NULL)", "", None),
    ("[nan, 1.5, 1e-7, NULL]", "[nan, 1.5, 1e-7, null]", [None, 1.5, 1e-7, None]),
    ("map('a', inf, 'b', 0.5)", '{"a": inf, "b": 0.5}', {"a": None, "b": 0.5}),
    ("tuple(1.5, 'nan', -inf)", '[1.5, "nan", -inf]', [1.5, "nan", None]),
    ("CAST((1, nan), 'Tuple(a Enum8(\\'x, (\\' = 1), `b c` Float64)')", '{"a": "x, (", "b c": nan}', {"a": "x, (", "b c": None}),
    ("[[toDecimal64('1.25', 2)]]", "[[1.25]]", [[1.25]]),
    ("[map('k', toUInt64(-1))]", '[{"k": 18446744073709551615}]', [{"k": 2**64 - 1}]),
    ("toInt256('-123456789012345678901234567890')", "-123456789012345678901234567890", -123456789012345678901234567890),
    ("1e22", "1e22", 1e22),
    ("['nan', 'é']", '["nan", "é"]', ["nan", "é"]),
    ("'nan'", "nan", "nan"),
]


@pytest.mark.parametrize(("expression", "written", "value"), EXACT, ids=lambda value: str(value)[:20])
def test_every_number_is_shown_as_clickhouse_writes_it(served: str, expression: str, written: str, value: object) -> None:
    statement = f"SELECT {expression} AS x, 1 AS one"
    assert list(csv.reader(io.StringIO(sql(served, statement, "--format", "csv").stdout.decode()))) == [["x", "one"], [written, "1"]]
    assert sql(served, statement).stdout.decode().splitlines()[2].strip() == f"{written or '-'}    1"
    assert json.loads(sql(served, statement, "--json").stdout) == [{"x": value, "one": 1}]


def test_a_format_of_the_statements_own_is_not_changed_by_that(served: str) -> None:
    assert sql(served, "SELECT nan AS x FORMAT JSONEachRow").stdout == b'{"x":null}\n'


@pytest.mark.parametrize(
    "kind", ["UInt64", "Array(Nullable(Int64))", "Map(String, UInt64)", "Tuple(a UInt64, `b, (` String)", "LowCardinality(Int128)"]
)
def test_integers_that_older_servers_quote_are_numbers(kind: str) -> None:
    read = reading(kind)
    assert read is not None
    quoted = {"U": "7", "A": ["7", None], "M": {"k": "7"}, "T": {"a": "7", "b, (": "7"}, "L": "7"}
    numbers = {"U": 7, "A": [7, None], "M": {"k": 7}, "T": {"a": 7, "b, (": "7"}, "L": 7}
    assert read(quoted[kind[0]]) == numbers[kind[0]]
    assert [reading(other) for other in ("String", "Array(String)", "Enum8('Int8' = 1)", "DateTime64(3, 'UTC')")] == [None] * 4


TOTALS = "SELECT number % 2 AS k, count() AS c FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k"


def test_totals_and_extremes_stand_below_a_table(served: str) -> None:
    plain = "k  c\n────\n0  5\n1  5\n"
    totals = "\ntotals\nk   c\n─────\n0  10\n"
    extremes = "\nminimum\nk  c\n────\n0  5\n\nmaximum\nk  c\n────\n1  5\n"
    assert sql(served, TOTALS).stdout.decode() == plain + totals
    assert sql(served, f"SELECT * FROM ({TOTALS})").stdout.decode() in (plain, plain + totals)  # as ClickHouse likes
    assert sql(served, f"{TOTALS} SETTINGS extremes = 1").stdout.decode() == plain + totals + extremes
    blocks = sql(served, TOTALS, "--format", "vertical", "--limit", "1")
    assert blocks.stdout.decode() == "Row 1:\n──────\nk: 0\nc: 5\n\ntotals\n──────\nk: 0\nc: 10\n\n"
    assert b"the first 1 row is shown" in blocks.stderr


@pytest.mark.parametrize(("written", "wanted"), [("csv", b"k,c\n0,5\n1,5\n"), ("json", b'[\n{"k":0,"c":5},\n{"k":1,"c":5}\n]\n')])
def test_totals_that_programs_do_not_get_are_told(served: str, written: str, wanted: bytes) -> None:
    ran = sql(served, TOTALS, "--format", written)
    assert (ran.returncode, ran.stdout) == (0, wanted)
    assert ran.stderr.decode().startswith("… totals are not among the rows:")
    assert len(ran.stderr.splitlines()) == 1
    assert sql(served, "SELECT 1 AS totals, 2 AS extremes", "--format", written).stderr == b""


def test_numbers_stand_as_they_are(served: str) -> None:
    statement = "SELECT toYear(toDate('2026-11-26')) AS year, 11434 AS port, 1764177360000 AS ms"
    assert sql(served, statement).stdout.decode().splitlines()[2] == "2026  11434  1764177360000"
    assert "ms:   1764177360000\n" in sql(served, statement, "--format", "vertical").stdout.decode()


@pytest.mark.parametrize("rubbish", ["é SELECT 1", "`", "#", "q", "exit", "'"])
def test_what_is_no_statement_is_refused(served: str, rubbish: str) -> None:
    ran = sql(served, rubbish)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().startswith("Error: ClickHouse refused the statement (code 62): Syntax error")


def test_a_formats_name_may_stand_in_quotes(served: str) -> None:
    assert sql(served, f"{TWO} FORMAT `CSV`").stdout == b'0,"a,b"\n1,"a,b"\n'
    assert sql(served, f'{TWO} FORMAT "JSONEachRow"').stdout.startswith(b'{"n":0')


@pytest.mark.parametrize(
    "written", [["--format", "csv"], ["--json"], ["--format", "TSV"], ["--format", "TSVWithNames"], ["--format", "vertical", "--limit", "0"]]
)
def test_the_first_rows_are_there_while_the_query_runs_and_it_ends_with_its_reader(served: str, written: list[str]) -> None:
    mark = f"first rows {' '.join(written)}"
    running = f"SELECT count() FROM system.processes WHERE query LIKE '%{mark} */ SELECT%' AND query NOT LIKE '%system.processes%'"
    server = Addresses(served.rpartition("/")[0], served, "", "", 0)
    with subprocess.Popen(
        [*TOKENTRAIL, "sql", f"/* {mark} */ {SLOW}", "--dsn", served, *written], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        seen = b""
        while seen.count(b"\n") < 9:
            seen += os.read(process.stdout.fileno(), 4096)
        assert number(server, running) == 1
        process.stdout.close()  # as `| head` does
        assert process.wait(60) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
    wait_until(lambda: number(server, running) == 0, "the query ends", deadline_s=20)


@pytest.mark.parametrize("written", ["csv", "json"])
def test_many_rows_need_no_large_memory(served: str, written: str) -> None:
    program = (
        "import os, resource, sys\nfrom tokentrail.cli import main\nstatus = 0\n"
        "try: main()\nexcept SystemExit as ended: status = ended.code\n"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)); sys.exit(status)"
    )

    def run(statement: str) -> tuple[int, int]:
        ran = subprocess.run(
            [sys.executable, "-c", program, "sql", statement, "--dsn", served, "--format", written], capture_output=True, timeout=120, check=True
        )
        return ran.stdout.count(b"\n"), int(ran.stderr)

    _, small = run("SELECT 1")
    lines, large = run(MANY)
    assert lines >= 400_000
    assert large - small < 40, f"{large} MB for 400,000 rows, {small} MB for one"


def test_a_table_shows_a_thousand_rows_says_so_and_stops_the_query(served: str) -> None:
    ran = sql(served, "SELECT number FROM numbers(100000000000)")  # would take hours
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == b"   999"
    assert len(ran.stdout.splitlines()) == 1002
    assert "the first 1,000 rows are shown" in ran.stderr.decode()
    assert "--limit 0" in ran.stderr.decode()


@pytest.mark.parametrize(("limit", "rows", "more"), [("0", 2500, False), ("7", 7, True), ("2500", 2500, False), ("2499", 2499, True)])
def test_a_limit_of_ones_own(served: str, limit: str, rows: int, more: bool) -> None:
    for written in ([], ["--format", "csv"], ["--json"]):
        ran = sql(served, "SELECT number FROM numbers(2500)", "--limit", limit, *written)
        shown = re.findall(rb"^\s*(?:\{\"number\":)?([\d,]+?)(?:\},?)?$", ran.stdout, re.MULTILINE)
        assert (len(shown), b"rows are shown" in ran.stderr) == (rows, more), written
    exactly = sql(served, "SELECT number FROM numbers(1000)")
    assert (len(exactly.stdout.splitlines()), exactly.stderr) == (1002, b"")


def test_a_limit_cannot_cut_bytes(served: str) -> None:
    assert_one_sentence(in_process("sql", f"{TWO} FORMAT CSV", "--dsn", served, "--limit", "1"), "write LIMIT 1 into the statement")


@pytest.mark.parametrize("written", ["table", "csv", "json", "vertical", "TSV", "RowBinary"])
def test_an_answer_that_breaks_off_is_told(served: str, written: str) -> None:
    ran = sql(
        served, "SELECT number, throwIf(number = 200000) FROM numbers(300000) SETTINGS max_block_size = 1000", "--format", written, "--limit", "0"
    )
    assert ran.returncode == 2
    assert len(ran.stdout) > 100_000
    assert ran.stderr.decode().startswith("Error: the answer broke off (code 395), what came of it is not whole: ")
    assert len(ran.stderr.splitlines()) == 1
    assert b"__exception__" not in ran.stdout
    assert b"DB::Exception" not in ran.stdout


def test_a_server_that_dies_in_the_middle_is_told(tmp_path: Path) -> None:
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path / "data") as server:
        process = subprocess.Popen(
            [*TOKENTRAIL, "sql", SLOW, "--dsn", server.addresses.dsn, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        while b"\n" not in os.read(process.stdout.fileno(), 4096):
            pass
        server.kill()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.decode().startswith("Error: the answer broke off, what came of it is not whole: ")
    assert b"Traceback" not in errors


def test_ctrl_c_is_quiet(served: str) -> None:
    process = subprocess.Popen([*TOKENTRAIL, "sql", SLOW, "--dsn", served, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")


@pytest.mark.parametrize(
    "command",
    [
        ["report"],
        ["sql", "SELECT 1"],
        ["sql", "SELECT 1", "--json"],
        ["sql", "SELECT 1 FORMAT CSV"],
        ["verify"],
        ["journal", "status"],
        ["quarantine", "list"],
        ["export", "collector", "{folder}"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_standard_output_is_one_sentence(served: str, tmp_path: Path, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*TOKENTRAIL, *(word.format(folder=tmp_path) for word in command)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            text=True,
            env={**os.environ, "TOKENTRAIL_CLICKHOUSE_DSN": served, "PYTHONUNBUFFERED": "1" if command == ["--help"] else ""},
        )
    assert (ran.returncode, ran.stderr) == (2, "Error: standard output cannot be written: No space left on device.\n")


def test_a_full_disk_behind_a_doctors_findings_too() -> None:
    program = (
        "import sys; from tokentrail.cli import main; from tokentrail.doctor import clickhouse, hosts, inside; sys.argv = ['tokentrail', 'doctor']\n"
        "from tokentrail.doctor.finding import Finding\n"
        "inside.service_checks = clickhouse.check_clickhouse = hosts.check_hosts = lambda *_, **__: [Finding('all', 'ok', 'is well')]; main()"
    )
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False, text=True)
    assert (ran.returncode, ran.stderr) == (2, "Error: standard output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("command", [["--version"], ["sql", "SELECT 1"], ["serve"]], ids=" ".join)
def test_a_closed_standard_output_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tokentrail", *command])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err.startswith("Error: standard output is closed: ")) == (2, True)


def test_nothing_at_all_is_open() -> None:
    ran = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *TOKENTRAIL, "--version"], timeout=60, check=False)
    assert ran.returncode == 2


class Old(BaseHTTPRequestHandler):
    """A ClickHouse 24.8: an exception after the head is text like any other, unless it was asked to wait for the end."""

    told: bytes = b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 24.8.1.1)\n"

    def do_POST(self) -> None:
        statement = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        wanted = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        rows = b'["x"]\n["UInt8"]\n[1]\n'
        if "version()" in statement:
            body = b"24.8.1.1\tUTC\tx\n" if "timezone" in statement else b'{"meta":[{"name":"v","type":"String"}],"data":[["24.8.1.1"]]}'
        elif "system.databases" in statement:
            body = b'{"meta":[{"name":"1","type":"UInt8"}],"data":[[1]]}'
        elif "boom" in statement and wanted.get("wait_end_of_query") == "1":
            return self.answer(500, self.told, {"X-ClickHouse-Exception-Code": "241"})
        elif "boom" in statement:
            return self.answer(200, rows + self.told, {"X-ClickHouse-Format": self.headers["X-ClickHouse-Format"]})
        else:
            body = b""
        return self.answer(200, body, {})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def old() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Old) as server:
        ready = Event()
        Thread(target=lambda: (ready.set(), server.serve_forever()), daemon=True).start()
        ready.wait()
        yield f"http://127.0.0.1:{server.server_address[1]}/tokentrail"
        server.shutdown()


@pytest.mark.parametrize(
    "statement", [["SELECT boom"], ["SELECT boom", "--format", "csv"], ["SELECT boom FORMAT CSV"], ["SELECT boom", "--format", "TSV"]]
)
def test_an_older_server_that_breaks_off_is_told_too(old: str, statement: list[str]) -> None:
    ran = in_process("sql", *statement, "--dsn", old)
    assert_one_sentence(ran, "code 241", "Memory limit exceeded")
    assert "DB::Exception" not in ran.out
