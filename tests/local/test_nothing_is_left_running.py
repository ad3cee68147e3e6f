"""Whatever the demo starts ends with the demo, also when that one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.processes import group
from tests.support.waiting import wait_until
from tokentrail.local import progress as progress_module
from tokentrail.local.building import run_step
from tokentrail.local.cache import Unavailable
from tokentrail.local.child import Child, StartFailed, free_port
from tokentrail.local.guard import end_group, start_guarded
from tokentrail.local.progress import GivenUp, Progress

FAMILY = 'echo $$ > "$1/parent"; sh -c \'echo $$ > "$1/child"; exec sleep 300\' sh "$1" & wait'
OWNER = """
import sys, time
from tokentrail.local.guard import start_guarded
process = start_guarded(["sh", "-c", sys.argv[2], "sh", sys.argv[1]], output=-3, environment=None)
print(process.pid, flush=True)
time.sleep(300)
"""


def family(folder: Path) -> list[int]:
    files = [folder / "parent", folder / "child"]
    wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files), "a command that has started another")
    return [int(file.read_text()) for file in files]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_program_takes_its_commands_along(number: signal.Signals, tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), FAMILY], stdout=subprocess.PIPE, text=True)
    leader = int(owner.stdout.readline())
    assert family(tmp_path)[0] == leader, "the process id is the command's own"
    owner.send_signal(number)
    owner.communicate(timeout=30)
    wait_until(lambda: not group(leader), "the end of the command and of all that it has started")


def test_a_command_that_is_ended_takes_its_own_along(tmp_path: Path) -> None:
    process = start_guarded(["sh", "-c", FAMILY, "sh", str(tmp_path)], output=subprocess.DEVNULL, environment=None)
    family(tmp_path)
    end_group(process)
    wait_until(lambda: not group(process.pid), "the end of all")
    end_group(process)


def test_a_command_sees_no_input_and_leaves_no_watcher(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_step("a step", ["sh", "-c", "cat; echo done; exec 9<&3 || true"], log=log, progress=Progress(lambda _line: None)) is not None
    assert log.read_text().startswith("done\n"), "standard input is empty, and the pipe of the watcher is not the command's"
    assert run_step("a step", ["sh", "-c", "cat"], log=log, progress=Progress(lambda _line: None)) is None


def test_a_step_that_is_given_up_ends_at_once(tmp_path: Path) -> None:
    progress = Progress(lambda _line: None)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            run_step("a long step", ["sh", "-c", FAMILY, "sh", str(tmp_path)], log=tmp_path / "log", progress=progress)
        except GivenUp as given_up:
            ended.append(given_up)

    thread = threading.Thread(target=work)
    thread.start()
    leader, _ = family(tmp_path)
    progress.give_up()
    thread.join(30)
    assert len(ended) == 1
    wait_until(lambda: not group(leader), "the end of the step's processes")


def test_a_long_step_says_so_ever_more_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "FIRST_REMINDER_S", 60.0)
    lines: list[str] = []
    progress = Progress(lines.append)
    progress("building …")
    for minute in range(1, 31):
        monkeypatch.setattr(progress, "_began", time.monotonic() - 60.0 * minute)
        progress.pause(0)
    assert lines == ["building …", *(f"building … still at work after {minutes} min" for minutes in (1, 2, 4, 8, 16))]


def test_a_display_that_lives_needs_no_reminders(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    progress = Progress(lines.append, reminders=False)
    progress("building …")
    monkeypatch.setattr(progress, "_began", time.monotonic() - 600.0)
    progress.pause(0)
    assert lines == ["building …"]


def test_what_does_not_start_is_a_sentence(tmp_path: Path) -> None:
    failed = run_step("a step", [str(tmp_path / "no-such-program")], log=tmp_path / "log", progress=Progress(lambda _line: None))
    assert isinstance(failed, Unavailable)
    assert "no-such-program" in failed.reason


def test_a_server_of_another_processor_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    child = Child("the server", ["sh", "-c", "kill -ILL $$"], environment=dict(os.environ), log=tmp_path / "log", health_url=url)
    with pytest.raises(StartFailed, match="the server ended by SIGILL"):
        child.start()
    assert not group(child.pid)
