"""A child ends with the program that started the child, also when that program is killed; so does all that the child has started."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import group
from tests.support.waiting import wait_until
from tokentrail.local import progress as progress_module
from tokentrail.local.building import run_step
from tokentrail.local.cache import Unavailable
from tokentrail.local.child import Child, StartFailed
from tokentrail.local.progress import GivenUp, Progress

FAMILY = 'echo $$ > "$1/parent"; sh -c \'echo $$ > "$1/child"; exec sleep 300\' sh "$1" & wait'
OWNER = """
import os, sys, time
from pathlib import Path
from tokentrail.local.child import Child
child = Child("a family", ["sh", "-c", sys.argv[2], "sh", sys.argv[1]], log=Path(os.devnull)).start()
print(child.pid, flush=True)
time.sleep(300)
"""

WRITER = """
import sys, time
from pathlib import Path
from tokentrail.local.child import Child
if sys.argv[1]:
    Path(sys.argv[1]).mkdir()
child = Child("a writer", ["sh", "-c", "while echo a line; do sleep 0.01; done"], errors_apart=True, scratch=Path(sys.argv[1]) if sys.argv[1] else None)
print(child.start().pid, flush=True)
time.sleep(300)
"""


def sh(script: str, *arguments: object, **options: Any) -> Child:
    return Child("the child", ["sh", "-c", script, "sh", *map(str, arguments)], **options)


def family(folder: Path) -> list[int]:
    files = [folder / "parent", folder / "child"]
    wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files), "a command that has started another")
    return [int(file.read_text()) for file in files]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_program_takes_its_commands_along(number: signal.Signals, tmp_path: Path) -> None:
    with Child("the owner", [sys.executable, "-c", OWNER, str(tmp_path), FAMILY]) as owner:
        owner.start()
        leader = int(wait_until(lambda: owner.lines, "the id of its child")[0])
        assert family(tmp_path)[0] == leader, "the process id is the command's own"
        owner.send_signal(number)
        assert owner.wait() == -number
        wait_until(lambda: not group(leader), "the end of the command and of all that it has started")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("given", ["", "given"])
def test_a_killed_program_leaves_no_files(number: signal.Signals, given: str, tmp_path: Path) -> None:
    """Neither the output of its children nor a folder that was theirs."""
    scratch = tmp_path / given if given else None
    with Child("the owner", [sys.executable, "-c", WRITER, given and str(scratch)], environment=os.environ | {"TMPDIR": str(tmp_path)}) as owner:
        owner.start()
        leader = int(wait_until(lambda: owner.lines, "the id of its child")[0])
        assert len(list(tmp_path.iterdir())) == 1
        owner.send_signal(number)
        assert owner.wait() == -number
        wait_until(lambda: not group(leader), "the end of the command")
        wait_until(lambda: not list(tmp_path.iterdir()), "the end of its files")


def test_a_child_that_starts_again_keeps_its_files(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    children = [sh("echo a line; exec sleep 300", log=scratch / "log", scratch=scratch)]
    for times in (1, 2):
        children[0].start()
        wait_until(lambda: children[0].lines == ["a line"], "the line")
        children[0].kill()
        assert (scratch / "log").read_text() == "a line\n" * times
    children.clear()
    assert not scratch.exists()


@pytest.mark.parametrize("end", [Child.kill, Child.terminate, lambda child: child.__exit__(None, None, None)])
def test_a_child_that_is_ended_takes_its_own_along(end: Callable[[Child], object], tmp_path: Path) -> None:
    child = sh(FAMILY, tmp_path).start()
    family(tmp_path)
    end(child)
    wait_until(lambda: not group(child.pid), "the end of all")
    end(child)


def test_a_child_that_has_ended_by_itself_takes_its_own_along(tmp_path: Path) -> None:
    with sh(FAMILY.replace("& wait", "& exit 3"), tmp_path).start() as child:
        family(tmp_path)
        assert child.wait() == 3
    wait_until(lambda: not group(child.pid), "the end of what it has started")


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while a child is waited for: until it is ready, and until it ends."""

    def interrupted() -> bool:
        family(tmp_path)
        raise KeyboardInterrupt

    child = sh(FAMILY, tmp_path, ready=interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.start()
    wait_until(lambda: not group(child.pid), "the end of all that was started")

    stubborn = sh("trap '' TERM; echo ready; while :; do sleep 0.1; done").start()
    wait_until(lambda: stubborn.lines, "a child that heeds no SIGTERM")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            stubborn.terminate(grace_s=60.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not stubborn.running
    wait_until(lambda: not group(stubborn.pid), "the end of the stubborn one")


def test_a_child_waits_for_no_child_of_ours(tmp_path: Path) -> None:
    """`wait()` of an application must not meet the watcher."""
    with Child("a father", [sys.executable, "-c", "import os; os.fork() or os._exit(0); os.wait(); os.wait()"], errors_apart=True).start() as father:
        assert father.wait() == 1
        assert "ChildProcessError" in father.errors


def test_what_was_printed_is_there_also_after_a_kill(tmp_path: Path) -> None:
    child = sh(
        "echo one; echo; echo wrong >&2; printf 'two\\342\\200\\250still two\\nhalf'; exec sleep 60", log=tmp_path / "output", errors_apart=True
    ).start()
    wait_until(lambda: len(child.lines) == 3, "three lines", every_s=0.01)
    assert child.kill() == -signal.SIGKILL
    assert child.lines == ["one", "", "two\u2028still two"]
    assert child.errors == "wrong\n"
    assert (tmp_path / "output").read_text().endswith("\nhalf")

    log = tmp_path / "log"
    again = sh("echo $$; echo wrong >&2", log=log)
    pids = []
    for _ in range(2):
        again.start().wait()
        pids.append(str(again.pid))
        assert again.lines == [pids[-1], "wrong"], "of this start"
    assert log.read_text().split() == [pids[0], "wrong", pids[1], "wrong"], "of all starts"


def test_lines_are_followed_to_the_end() -> None:
    with sh("for n in 1 2 3; do echo $n; sleep 0.05; done; exit 4").start() as child:
        assert list(child.follow(30.0)) == ["1", "2", "3"]
        assert child.code == 4
    with (
        sh("echo last; exec sleep 60").start() as child,
        pytest.raises(TimeoutError, match="the child has not ended after 0 s; its last words: last"),
    ):
        list(child.follow(0.2))


def test_input_is_the_programs() -> None:
    with sh("read a; echo got $a; cat; echo end", takes_input=True).start() as child:
        child.send("one")
        wait_until(lambda: child.lines == ["got one"], "an answer", every_s=0.01)
        child.end_input()
        assert child.wait() == 0
        assert child.lines == ["got one", "end"]


def test_a_child_that_does_not_become_ready_says_why(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="the child ended with code 2; its last words: no such thing") as failed:
        sh("echo no such thing >&2; exit 2", ready=lambda: False).start()
    assert failed.value.code == 2
    late = sh(FAMILY, tmp_path, ready=lambda: False)
    with pytest.raises(StartFailed, match="the child was not ready after 0 s") as failed:
        late.start(timeout_s=0.1)
    assert failed.value.code is None
    wait_until(lambda: not group(late.pid), "the end of all that was started")


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
    minutes = itertools.count()
    progress = Progress(lines.append, clock=lambda: 60.0 * next(minutes))
    progress("building …")
    for _ in range(1, 31):
        progress.pause(0)
    assert lines == ["building …", *(f"building … still at work after {minutes} min" for minutes in (1, 2, 4, 8, 16))]


def test_a_display_that_lives_needs_no_reminders() -> None:
    lines: list[str] = []
    minutes = itertools.count()
    progress = Progress(lines.append, reminders=False, clock=lambda: 600.0 * next(minutes))
    progress("building …")
    progress.pause(0)
    assert lines == ["building …"]


def test_what_does_not_start_is_a_sentence(tmp_path: Path) -> None:
    failed = run_step("a step", [str(tmp_path / "no-such-program")], log=tmp_path / "log", progress=Progress(lambda _line: None))
    assert isinstance(failed, Unavailable)
    assert "no-such-program" in failed.reason


def test_a_server_of_another_processor_is_named() -> None:
    child = sh("kill -ILL $$", ready=lambda: False)
    with pytest.raises(StartFailed, match="the child ended by SIGILL"):
        child.start()
    wait_until(lambda: not group(child.pid), "the end of the child and of its watcher")
