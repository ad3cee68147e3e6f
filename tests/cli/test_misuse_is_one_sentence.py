"""What was mistyped or cannot be done is one sentence with exit code 2, and says what was probably meant."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, append, writer
from tests.support.terminal import TOKENTRAIL, Ran, assert_one_sentence, at_terminal
from tokentrail.cli.group import cli
from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.run import ready_file_of
from tokentrail.embedded.server import Addresses

MISUSE = [
    (["reprot"], "there is no command 'reprot'. Did you mean report?"),
    (["sqll", "SELECT 1"], "Did you mean sql?"),
    (["xyzzy"], "there is no command 'xyzzy'. There are serve, migrate, report"),
    (["journal", "statsu"], "Did you mean status?"),
    (["quarantine", "reply"], "Did you mean replay?"),
    (["report", "--formt", "csv"], "--format"),
    (["report", "--by", "provider,modle"], "there is no dimension 'modle'. Did you mean model? Use some of provider, model,"),
    (["report", "--format", "cvs"], "'cvs' is not one of them. Did you mean csv? There are table,"),
    (["report", "--timezone", "Europe/Madird"], "'Europe/Madird' is no time zone"),
    (["report", "--where", "endpiont=chat"], "there is no dimension 'endpiont'. Did you mean endpoint?"),
    (["report", "--where", "endpoint"], "'endpoint' is not NAME=VALUE"),
    (["report", "--sort", "cals"], "Did you mean calls?"),
    (["report", "--change"], "give --from"),
    (["query", "tokens", "-p", "where=endpiont=chat"], "Did you mean endpoint?"),
    (["report", "--by", "tenant"], "Did you mean tenant_id?"),
    (["report", "--limit", "-1"], "--limit"),
    (["report", "--dsn", "http://no-such-host.invalid/x"], "the host no-such-host.invalid of http://no-such-host.invalid:8123/x cannot be resolved"),
    (["sql", "TRUNCATE TABLE usage_ledger"], "reads only: give --write to change something"),
    (["sql", "CREATE TABLE x (n UInt8) ENGINE = Memory"], "give --write"),
    (["sql", "SELECT 1; SELECT 2"], "one statement"),
    (["query", "tokns"], "there is no question 'tokns'. Did you mean tokens?"),
    (["query", "tokens", "-p", "by"], "'by' is not name=value"),
    (["query", "tokens", "-p", "by=modell"], "by is 'modell'. Did you mean model? It is one of provider, model,"),
    (["query", "tokens", "-p", "frm=today"], "query tokens has no parameter 'frm'. Did you mean from?"),
    (["query", "tokens", "-p", "from=yesterdy"], "'yesterdy' is not a time. Did you mean yesterday? Write 2026-11-01"),
    (["query", "tokens_over_time", "-p", "timezone=Mars"], "'Mars' is no time zone"),
    (["query", "change", "-p", "days=70000"], "days is '70000': a whole number from 0 to 65535"),
    (["query", "calls_of_a_trace"], "query calls_of_a_trace needs the parameter trace"),
    (["query", "-p", "by=model"], "no question is named"),
    (["serve", "--data", ""], "--data is empty"),
    (["serve", "--host", "0.0.0.0"], "no loopback address"),
    (["serve", "--data", "~nobody-of-that-name/x"], "the home folder in ~nobody-of-that-name/x is not known"),
    *(
        ([*command, "\udcff"], f"it is no UTF-8 text: byte {at} does not fit")
        for at, *command in ((1, "sql"), (1, "report", "--tenant"), (1, "sql", "SELECT 1", "--format"), (1, "quarantine", "list", "--reason"))
    ),
    (["sql", "SELECT '\udcc3\udca9\udcff'"], "it is no UTF-8 text: byte 11 does not fit"),
]


@pytest.mark.parametrize(("arguments", "said"), MISUSE, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_it_says_so(served: str, arguments: list[str], said: str) -> None:
    ran = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": served}).invoke(cli, arguments)
    assert (ran.exit_code, ran.stdout) == (2, ""), ran.output
    (error,) = (line for line in ran.stderr.splitlines() if line.startswith("Error: "))
    assert said in error
    assert isinstance(ran.exception, SystemExit)


@pytest.mark.parametrize("group", ["prices", "journal", "quarantine", "export"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    ran = CliRunner().invoke(cli, [group])
    assert "Commands:" in ran.output
    assert "Error" not in ran.output


def test_a_sentence_cannot_steer_the_terminal(served: str) -> None:
    ran = CliRunner().invoke(cli, ["report", "--tenant", "\x1b[31m\u202eacme", "--dsn", served])
    assert "no usage has the tenant_id" in ran.stderr
    wrong = CliRunner().invoke(cli, ["query", "\x9b31m\u202etokens", "--dsn", served])
    assert wrong.exit_code == 2
    assert not set("\x1b\x9b\u202e") & set(ran.output + wrong.output)


@pytest.mark.parametrize("command", ["sql", "count"])
def test_a_closed_standard_input_is_told(served: str, command: str) -> None:
    given = {**os.environ, "TOKENTRAIL_CLICKHOUSE_DSN": served}
    ran = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *TOKENTRAIL, command, "-"], capture_output=True, text=True, env=given, timeout=60, check=False
    )
    assert_one_sentence(Ran(ran.returncode, ran.stdout, ran.stderr), "standard input is closed")


def test_a_text_is_utf_8_whatever_the_locale_says(served: str) -> None:
    ran = CliRunner().invoke(cli, ["sql", "SELECT '\udcc3\udca9' AS x", "--dsn", served, "--json"])  # as Python reads é under LC_ALL=C
    assert json.loads(ran.stdout) == [{"x": "é"}]


def test_a_path_may_be_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "\udcff").write_text("four tokens or so")
    ran = CliRunner().invoke(cli, ["count", str(tmp_path / "\udcff")])
    assert ran.exit_code == 0, ran.output


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that is not there any more."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--data", "./rel"], "the working directory is not there any more, and --data rel lies in it"),
        (["journal", "status", "--dir", "./rel"], "rel is no folder"),
        (["count", "./file"], "./file cannot be read: No such file"),
        (["export", "collector", "./x"], "x cannot be written: No such file"),
    ],
)
def test_a_working_directory_that_is_gone_is_told(nowhere: None, arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(cli, arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert isinstance(ran.exception, SystemExit)


def test_a_ready_file_that_is_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "ready").mkdir()
    with pytest.raises(CannotStart, match="cannot be written"), ready_file_of(tmp_path / "ready", Addresses("", "", "", "", 0)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["ready"]


def test_a_ready_file_is_there_while_the_server_answers(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with ready_file_of(ready, Addresses("h", "d", "o", "f", 1)):
        assert json.loads(ready.read_text())["dsn"] == "d"
    assert list(tmp_path.iterdir()) == []


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
