"""A signal that asks a program to end is never lost, wherever in the program it arrives."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.journal import Program, environment, programs
from tests.support.waiting import wait_until

HEAD = """
import os, signal, sys, time
from tokentrail.process import signals
from tokentrail.process.signals import Stop, ended_by_signals
signals.ASK_AGAIN_S = 0.05
dropped = []
"""
ENDING = """
    try:
        for _ in range(2000): time.sleep(0.05)
    finally:
        print("dropped" if dropped else "not dropped", flush=True)
        print("in order", flush=True)
        time.sleep(0.2)  # longer than the alarm's period
        print("whole", flush=True)
"""
IN_A_FINALIZER = """
class Finalized:
    def __del__(self):
        print("ready", flush=True)
        for _ in range(2000): time.sleep(0.05)
sys.unraisablehook = dropped.append  # in C: no alarm comes between
with ended_by_signals():
    Finalized()
"""
BY_A_BROAD_EXCEPT = """
with ended_by_signals():
    try:
        print("ready", flush=True)
        for _ in range(2000): time.sleep(0.05)
    except BaseException as error:
        dropped.append(error)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    with programs() as start:
        yield lambda code: start(HEAD + code, environment(tmp_path / "journal"))


@pytest.mark.parametrize("code", [IN_A_FINALIZER, BY_A_BROAD_EXCEPT], ids=["in a finalizer", "by a broad except"])
@pytest.mark.parametrize(("number", "ends_with"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)])
def test_an_exception_that_was_dropped_is_raised_again(run: Callable[[str], Program], code: str, number: signal.Signals, ends_with: int) -> None:
    program = run(code + ENDING)
    wait_until(lambda: "ready" in program.lines, "the program")
    program.send_signal(number)
    assert program.wait() == ends_with, program.errors
    assert program.lines == ["ready", "dropped", "in order", "whole"]


def test_further_signals_do_not_interrupt_the_end(run: Callable[[str], Program]) -> None:
    program = run(
        """
with ended_by_signals():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
            time.sleep(0.02)
        print("whole", flush=True)
"""
    )
    assert program.wait() == 143, program.errors
    assert program.lines == ["whole"]
    assert program.errors == ""


def test_a_second_signal_does_not_break_the_end_of_the_replay_server(tmp_path: Path) -> None:
    with programs() as start:
        for number in (signal.SIGTERM, signal.SIGINT):
            program = start("from tokentrail.testing.replay import main; import sys; sys.exit(main(['--port', '0']))", environment(tmp_path))
            wait_until(lambda program=program: program.lines, "the replay server")
            program.send_signal(signal.SIGTERM)
            for _ in range(20):
                program.send_signal(number)
            assert program.wait() in (0, -signal.SIGTERM)  # a signal after the last line is no fault of ours
            assert program.errors == ""


def test_a_second_signal_does_not_break_what_follows_a_stop(run: Callable[[str], Program]) -> None:
    """A program that was asked to stop closes its parts after the block too."""
    program = run(
        """
with ended_by_signals():
    with Stop() as stop, stop.on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
        time.sleep(0.02)
print("whole", flush=True)
with Stop() as stop, stop.on_signals():
    pass
signal.raise_signal(signal.SIGINT)  # nobody had asked: as before the block
"""
    )
    assert program.wait() == -signal.SIGINT, program.errors
    assert program.lines == ["whole"]


def test_the_alarm_and_the_handlers_end_with_the_block(run: Callable[[str], Program]) -> None:
    program = run(
        """
def handlers(): return [signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
before = handlers()
try:
    with ended_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
except SystemExit as error:
    print(error.code, flush=True)
assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
assert before == handlers()
"""
    )
    assert program.wait() == 0, program.errors
    assert program.lines == ["143"]


def test_a_signal_that_is_ignored_stays_ignored(run: Callable[[str], Program]) -> None:
    program = run(
        """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with ended_by_signals(), Stop() as stop, stop.on_signals():
    os.kill(os.getpid(), signal.SIGHUP)
    print(stop.wait(0.2), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.wait(), stop.wait(), flush=True)
"""
    )
    assert program.wait() == 0, program.errors
    assert program.lines == ["False", "True True"]


def test_a_signal_just_before_the_system_call_of_a_wait_ends_the_wait(run: Callable[[str], Program]) -> None:
    """Signal and system call follow each other without a step of Python between them, where Python would run the handler."""
    program = run(
        """
import ctypes, itertools, select, types
raise_signal = ctypes.CDLL(None)["raise"]
def select_after_signal(reads, *more):
    steps = itertools.chain(map(raise_signal, [int(signal.SIGTERM)]), map(select.select, [reads], *([each] for each in more)))
    return list(steps)[1]
signals.select = types.SimpleNamespace(select=select_after_signal)
with Stop() as stop, stop.on_signals():
    began = time.monotonic()
    print(stop.wait(8), time.monotonic() - began < 4, flush=True)
"""
    )
    assert program.wait() == 0, program.errors
    assert program.lines == ["True True"]


def test_a_stop_is_seen_whenever_it_is_asked_for(run: Callable[[str], Program]) -> None:
    """More often than a pipe holds; by a signal before, at the beginning of and during the wait; by a thread."""
    program = run(
        """
import threading
with Stop() as stop:
    for _ in range(100_000): stop.ask()
    assert stop.wait()
for number in range(500):
    with Stop() as stop, stop.on_signals([signal.SIGALRM]):
        signal.setitimer(signal.ITIMER_REAL, 0.000_05 + number % 100 / 1e6)
        assert stop.wait(5), number
with Stop() as stop:
    threading.Timer(0.1, stop.ask).start()
    assert stop.wait(5)
stop.ask()
print(len(os.listdir("/proc/self/fd")) < 30, flush=True)
"""
    )
    assert program.wait(60) == 0, program.errors
    assert program.lines == ["True"]
