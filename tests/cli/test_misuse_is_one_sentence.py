"""What was mistyped or cannot be done is one sentence with exit code 2, and says what was probably meant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, append, writer
from tests.support.terminal import TOKENTRAIL, Ran, assert_one_sentence, at_terminal
from tokentrail.cli.group import cli

MISUSE = [
    (["reprot"], "there is no command 'reprot'. Did you mean report?"),
    (["sqll", "SELECT 1"], "Did you mean sql?"),
    (["xyzzy"], "there is no command 'xyzzy'. There are serve, migrate, report"),
    (["journal", "statsu"], "Did you mean status?"),
    (["quarantine", "reply"], "Did you mean replay?"),
    (["report", "--formt", "csv"], "--format"),
    (["report", "--by", "provider,modle"], "there is no dimension 'modle'. Did you mean model? Use some of provider, model,"),
    (["report", "--by", "tenant"], "Did you mean tenant_id?"),
    (["report", "--limit", "-1"], "--limit"),
    (["report", "--dsn", "http://no-such-host.invalid/x"], "the host no-such-host.invalid of http://no-such-host.invalid:8123/x cannot be resolved"),
    (["sql", "TRUNCATE TABLE usage_ledger"], "reads only: give --write to change something"),
    (["sql", "CREATE TABLE x (n UInt8) ENGINE = Memory"], "give --write"),
    (["sql", "SELECT 1; SELECT 2"], "one statement"),
    (["serve", "--data", ""], "--data is empty"),
    (["serve", "--host", "0.0.0.0"], "no loopback address"),
]


@pytest.mark.parametrize(("arguments", "said"), MISUSE, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_it_says_so(served: str, arguments: list[str], said: str) -> None:
    ran = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": served}).invoke(cli, arguments)
    assert (ran.exit_code, ran.stdout) == (2, ""), ran.output
    (error,) = (line for line in ran.stderr.splitlines() if line.startswith("Error: "))
    assert said in error
    assert isinstance(ran.exception, SystemExit)


@pytest.mark.parametrize("command", ["sql", "count"])
def test_a_closed_standard_input_is_told(served: str, command: str) -> None:
    given = {**os.environ, "TOKENTRAIL_CLICKHOUSE_DSN": served}
    ran = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *TOKENTRAIL, command, "-"], capture_output=True, text=True, env=given, timeout=60, check=False
    )
    assert_one_sentence(Ran(ran.returncode, ran.stdout, ran.stderr), "standard input is closed")


def test_a_server_without_tls_is_told_in_words(served: str) -> None:
    ran = CliRunner().invoke(cli, ["report", "--dsn", served.replace("http://", "https://")])
    assert ran.exit_code == 2
    assert "no TLS connection to https://" in ran.stderr
    assert "HTTPSConnectionPool" not in ran.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_journals_status_shows_full_names(tmp_path: Path, columns: int) -> None:
    root = tmp_path / "journal"
    service = writer(root)
    append(service, 3)
    abandon(service)
    ran = at_terminal("journal", "status", "--dir", str(root), columns=columns)
    assert ran.code in (0, 1), ran.err
    assert service.writer_id in ran.out
    assert f"{root}: " in ran.out
    assert "…" not in ran.out
