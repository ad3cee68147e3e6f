"""Finalizers and signal handlers run between any two steps of a thread, also within its own append: they may record, and nothing hangs or is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.support.journal import Program, adopt, append, environment, parse_numbers, usage, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal import folder as layout
from tokentrail.journal import writer as writer_module
from tokentrail.journal.reader import read
from tokentrail.journal.records import encode

HEAD = """
import gc, os, signal, sys, threading, time
from tests.support.journal_load import one, tell
from tokentrail.process.current import current
"""

FINALIZERS = """
gc.set_threshold(1)
made = []

class Abandoned:
    def __init__(self): self.me = self
    def __del__(self): made.append(one())

def work():
    for _ in range(1500):
        Abandoned()
        tell(*one())

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join(60)
assert not any(thread.is_alive() for thread in threads), "hangs"
gc.set_threshold(700)
gc.collect()
while len(made) < 3000: time.sleep(0.001)  # the shipper's thread may be the one that collects
for found in made: tell(*found)
"""

HANDLERS = """
made = []
tell(*one())  # on a busy machine a first record takes longer than the timer's period, and handlers would nest without end
signal.signal(signal.SIGALRM, lambda *_: made.append(one()))
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
for _ in range(6000): tell(*one())
signal.setitimer(signal.ITIMER_REAL, 0)
for found in made: tell(*found)
assert len(made) > 50, len(made)
"""

HANDLERS_THAT_RAISE = """
class Interrupt(BaseException): pass
def raises(*_): raise Interrupt
signal.signal(signal.SIGALRM, raises)
interrupted = 0
for _ in range(6000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00002)
        try:
            found = one()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Interrupt:
        interrupted += 1
    else:
        tell(*found)
assert interrupted > 50, interrupted
tell(*one())
"""

BORN_IN_A_FINALIZER = """
gc.set_threshold(1)
made = []
class Abandoned:
    def __init__(self): self.me = self
    def __del__(self): made.append(one())
for _ in range(50): Abandoned()
thread = threading.Thread(target=Abandoned)
thread.start()
thread.join()
gc.set_threshold(700)
gc.collect()
while len(made) < 51: time.sleep(0.001)  # the shipper's thread may be the one that collects
for found in made: tell(*found)
tell(*one())
"""


@pytest.mark.parametrize("code", [FINALIZERS, HANDLERS, BORN_IN_A_FINALIZER], ids=["finalizers", "signal handlers", "first record in a finalizer"])
def test_nothing_hangs_and_nothing_is_lost(root: Path, otlp: Otlp, start: Callable[..., Program], code: str) -> None:
    program = start(HEAD + code, environment(root, otlp.url, exit_timeout="10"))
    assert program.end(120) == 0, program.errors
    adopt(root, otlp)
    expected = parse_numbers(program.lines)
    assert len(expected) == 1
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers == set(range(1, max(numbers) + 1))
        assert len(program.lines) == len(numbers), "a number was given twice"


def test_an_append_that_is_interrupted_leaves_no_unknown_hole(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    program = start(HEAD + HANDLERS_THAT_RAISE, environment(root, otlp.url, exit_timeout="10"))
    assert program.end(120) == 0, program.errors
    adopt(root, otlp)
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    arrived = set(otlp.numbers(writer_id))
    assert numbers <= arrived
    assert arrived | otlp.refused(writer_id) == set(range(1, max(arrived) + 1)), "a number that nobody can explain"


def test_a_record_made_at_any_step_of_an_append(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call that an append makes is once the place where a finalizer strikes."""
    service = writer(root, segment_bytes=4096)
    numbers: list[int] = []
    places = [
        (writer_module.os, "open"),
        (writer_module, "frame"),
        (writer_module, "write"),
        (writer_module, "_monotonic"),
        (layout, "size_of"),
        (layout.Lock, "holds"),
        (writer_module.time, "time_ns"),
    ]
    for place, name in places:
        original = getattr(place, name)
        struck: list[int] = []

        def strikes(*args: object, original: Callable[..., object] = original, struck: list[int] = struck, **keywords: object) -> object:
            if not struck:
                struck.append(0)
                struck[0] = service.append(encode(usage()))
            return original(*args, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(place, name, strikes)
            for _ in range(40):  # some of them begin a new file
                numbers += append(service, 1)
        assert struck, name
        numbers += struck
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    service.close()
    assert adopt(root, otlp).done
    assert sorted(otlp.numbers(service.writer_id)) == sorted(numbers)


def test_a_complaint_that_records_is_no_endless_loop(root: Path) -> None:
    """A logging handler that itself spends tokens: refused as well, but it ends."""
    root.write_text("a file where the folder should be")
    calls: list[int] = []

    def complain(_sentence: str) -> None:
        if len(calls) < 5:
            calls.append(service.append(encode(usage())))

    service = writer(root, complain=complain)
    assert append(service, 1) == [-1]
    assert service.refused == 6


@pytest.mark.parametrize("after_the_write", [True, False])
def test_an_interrupt_at_the_write_itself(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch, after_the_write: bool) -> None:
    """Written or not, the caller was never told its number: it is named as refused, and the file goes on without torn bytes."""
    service = writer(root)
    append(service, 3)

    def interrupted(fd: int, data: bytes) -> int:
        if after_the_write:
            os.write(fd, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            append(service, 1)
    assert append(service, 2) == [5, 6]
    service.close()
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == ([1, 2, 3, 4, 5, 6] if after_the_write else [1, 2, 3, 5, 6])
    assert otlp.refused(service.writer_id) == {4}


def test_records_stand_in_the_order_of_their_numbers_wherever_handlers_ran(root: Path) -> None:
    """One append, and a handler at each pair of its steps: a reader would take a number that stands behind a higher one for missing."""
    service = writer(root)
    append(service, 1)

    def run(first: int, second: int) -> int:
        """One append with a handler at two of its lines. The number of its lines."""
        seen = 0

        def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., object] | None:
            nonlocal seen
            if frame.f_code.co_filename != writer_module.__file__:
                return None
            if event == "line":
                seen += 1
                if seen in (first, second):
                    sys.settrace(None)  # a handler's own steps are none of these
                    service.append(encode(usage()))
                    sys.settrace(trace)
            return trace

        sys.settrace(trace)
        try:
            service.append(encode(usage()))
        finally:
            sys.settrace(None)
        return seen

    steps = run(0, 0)
    assert steps > 10
    for first in range(1, steps + 1):
        for second in range(first + 1, steps + 6):
            run(first, second)
    service.close()
    numbers = [found.number for found in read(service.folder, layout.Cursor(), live=False) if found.number]
    assert numbers == list(range(1, service.last_seq + 1))
    assert len(numbers) > 2 * steps
