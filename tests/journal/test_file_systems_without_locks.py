"""Some network file systems answer ENOLCK to flock: a process writes and ships its own journal all the same, and everybody says what is not possible.

`fcntl.flock` is replaced by one that answers so: no file system without locks can be had on every machine.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import Program, abandon, adopt, append, environment, parse_numbers, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.cli.journal import command
from tokentrail.doctor.journal import check_journal
from tokentrail.journal.folder import writer_folders
from tokentrail.settings import Settings

HEAD = """
import errno, fcntl, os, signal
def flock(fd, how): raise OSError({number}, os.strerror({number}))
fcntl.flock = flock
import tokentrail
from tests.support.journal_load import one, tell
"""


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_a_process_writes_and_ships_its_own_journal(root: Path, otlp: Otlp, start: Callable[..., Program], name: str) -> None:
    code = (
        HEAD.format(number=getattr(errno, name))
        + """
for _ in range(5): tell(*one())
assert tokentrail.flush(30)
tokentrail.configure(tenant_id="b")
for _ in range(5): tell(*one())
pid = os.fork()
if pid == 0:
    for _ in range(5): tell(*one())
    assert tokentrail.flush(30)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    )
    program = start(code, environment(root, otlp.url, exit_timeout=20))
    assert program.end(60) == 0, program.errors
    expected = parse_numbers(program.lines)
    assert [len(numbers) for numbers in expected.values()] == [5, 5, 5]
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers
    assert program.errors.count("has no locks") >= 1
    assert "refuses" not in program.errors
    assert len(list(root.iterdir())) == 1, "the child's folder, which nobody may close"


def test_nobody_adopts_what_may_live_until_an_operator_says_that_nothing_does(root: Path, otlp: Otlp, no_locks: None) -> None:
    service = writer(root)
    append(service, 5)
    progress = adopt(root, otlp)
    assert not progress.done
    assert "has no locks" in progress.reason
    assert otlp.numbers(service.writer_id) == []
    ship = ["ship", "--dir", str(root), "--endpoint", otlp.url]
    refused = CliRunner().invoke(command, ship)
    assert refused.exit_code == 1
    assert refused.stderr.count("has no locks") == 1
    assert "--without-locks" in refused.stderr
    assert CliRunner().invoke(command, [*ship, "--watch", "--without-locks"]).exit_code == 2
    abandon(service)
    shipped = CliRunner().invoke(command, [*ship, "--without-locks"])
    assert shipped.exit_code == 0, shipped.output
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4, 5]
    assert len(otlp.closings(service.writer_id)) == 1
    assert writer_folders(root) == []


def test_status_and_doctor_say_so(root: Path, otlp: Otlp, no_locks: None) -> None:
    service = writer(root)
    append(service, 5)
    shown = CliRunner().invoke(command, ["status", "--dir", str(root)])
    assert shown.exit_code == 1, shown.output
    assert "has no locks" in " ".join(shown.output.split())
    as_json = CliRunner().invoke(command, ["status", "--dir", str(root), "--json"])
    found = json.loads(as_json.stdout)
    assert found["locks"] is False
    assert [seen["state"] for seen in found["writers"]] == ["unknown"]
    findings = list(check_journal(Settings(journal_dir=str(root))))
    assert any(finding.state == "wrong" and "has no locks" in finding.sentence for finding in findings)
    service.close()
    assert json.loads(CliRunner().invoke(command, ["status", "--dir", str(root), "--json"]).stdout)["writers"][0]["state"] == "closed"


def test_with_locks_the_option_changes_nothing(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 5)
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url, "--without-locks"])
    assert shipped.exit_code == 0, shipped.output
    assert otlp.numbers(service.writer_id) == [], "its writer lives"
    findings = list(check_journal(Settings(journal_dir=str(root))))
    assert [finding.state for finding in findings] == ["ok"]
