from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from tokentrail.cli.report import command as report
from tokentrail.cli.sql import command as sql
from tokentrail.clickhouse import client as client_module
from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.clickhouse.dsn import parse_dsn


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("", "no scheme"),
        ("localhost", "no scheme"),
        ("localhost:8123/tokentrail", "no scheme"),
        ("ftp://host/db", "no scheme"),
        ("tcp://host:9000/db", "native protocol"),
        ("clickhouse://host/db", "native protocol"),
        ("http:///db", "names no host"),
        ("http://host:port/db", "cannot be read"),
        ("http://host:99999/db", "cannot be read"),
        ("http://host/a/b", "not in a path"),
        ("http://host/db?secure=1", "no option 'secure'"),
        ("http://host/db?verify=maybe", "true or false"),
        ("chdb://folder", "absolute folder"),
        ("chdb://", "absolute folder"),
        ("chdb:///nowhere/at/all", "no folder /nowhere/at/all"),
        ("http://no-such-host.invalid/db", "the host no-such-host.invalid of http://no-such-host.invalid:8123/db cannot be resolved"),
    ],
)
def test_a_wrong_address_is_misuse_and_says_what_to_write(dsn: str, said: str) -> None:
    result = CliRunner().invoke(report, ["--dsn", dsn])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ClickHouseError, match=r"Connection refused; is it running\? `tokentrail serve`"):
            connect(f"http://127.0.0.1:{taken.getsockname()[1]}/tokentrail")


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that answers every request with the same status, headers and text."""
    status, headers, text = request.param

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/tokentrail"
        server.shutdown()


NATIVE = b"Port 9000 is for clickhouse-client program\r\nYou must use port 8123 for HTTP.\r\n"
DENIED = b"Code: 516. DB::Exception: default: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        ((400, {}, NATIVE), "not ClickHouse's HTTP interface"),
        ((403, {"X-ClickHouse-Exception-Code": "516"}, DENIED), "does not know this user or password"),
        ((200, {"Content-Type": "text/html"}, b"<html>hello</html>"), "no ClickHouse answers"),
    ],
    indirect=["answering"],
)
def test_a_server_that_is_not_what_was_meant(answering: str, said: str) -> None:
    with pytest.raises(ClickHouseError, match=said):
        connect(answering)


def test_a_password_is_never_shown() -> None:
    for dsn in ("http://me:hunter2@127.0.0.1:1/db", "ftp://me:hunter2@host/db", "http://me:hunter2@host:port/db", "http://me:hunter2@host/a/b"):
        result = CliRunner().invoke(report, ["--dsn", dsn])
        assert result.exit_code == 2
        assert "hunter2" not in result.output + result.stderr


def test_escaped_passwords_and_ipv6_hosts_are_read() -> None:
    parsed = parse_dsn("https://me:a%40b%2Fc@[::1]/db")
    assert (parsed.user, parsed.password, parsed.host, parsed.port, parsed.database, parsed.shown) == (
        "me",
        "a@b/c",
        "::1",
        8443,
        "db",
        "https://[::1]:8443/db",
    )


def test_too_old_a_clickhouse_is_refused(engine_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "OLDEST_VERSION", (99, 1))
    with pytest.raises(ClickHouseError, match=r"too old: tokentrail needs 99\.1 or newer"):
        connect(engine_dsn, create=True)


def test_a_database_that_is_not_there_names_the_command(engine_dsn: str) -> None:
    with pytest.raises(ClickHouseError, match=r"no database nothing.*tokentrail migrate"):
        connect(f"{engine_dsn}?database=nothing")


def test_a_database_without_our_tables_names_the_command(engine_dsn: str) -> None:
    result = CliRunner().invoke(report, ["--dsn", f"{engine_dsn}?database=system"])
    assert result.exit_code == 2
    assert "tokentrail migrate" in result.stderr


def test_a_second_folder_in_one_process(engine_dsn: str, tmp_path: Path) -> None:
    assert engine_dsn
    with pytest.raises(ClickHouseError, match="already has an embedded engine on another folder"):
        connect(f"chdb://{tmp_path}", create=True)


def test_a_folder_that_another_process_holds(engine_dsn: str) -> None:
    tried = subprocess.run(
        [sys.executable, "-c", "import sys; from tokentrail.cli.report import command; command(['--dsn', sys.argv[1]])", engine_dsn],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert tried.returncode == 2
    assert "another process holds it" in tried.stderr


def test_a_folder_without_rights(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClickHouseError, match="cannot use the folder"):
        connect(f"chdb://{tmp_path}/file/below", create=True)


def test_a_wrong_statement_is_misuse(dsn: str, engine_dsn: str) -> None:
    assert dsn
    for statement in ("SELEC 1", "SELECT nothing FROM nowhere", ""):
        result = CliRunner().invoke(sql, [statement, "--dsn", f"{engine_dsn}?database=system"])
        assert result.exit_code == 2
        assert result.stderr
