"""However a process ends, what it recorded arrives: at once where it may, else by whoever adopts its journal. And no end is held up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import Program, adopt, environment, parse_numbers
from tests.support.otlp_receiver import Otlp, hang, status
from tests.support.waiting import wait_until

# The shipper's modules are loaded first: CPython knows that it ends by SIGINT from a flag which any `exec` in any thread resets, and imports run many.
HEAD = """
import os, signal, sys, threading, time
import tokentrail.journal.adoption
from tests.support.journal_load import one, tell
for _ in range(20): tell(*one())
"""
ENDS = {
    "end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "uncaught exception": ("raise RuntimeError('as planned')", 1),
    "os._exit": ("os._exit(4)", 4),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", -signal.SIGTERM),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -signal.SIGINT),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL); time.sleep(30)", -signal.SIGKILL),
    "abort": ("os.abort()", -signal.SIGABRT),
    "exec": ("os.execv('/bin/true', ['true'])", 0),
    "a handler that raises the signal again": (
        (
            "def again(number, _): signal.signal(number, signal.SIG_DFL); os.kill(os.getpid(), number)\n"
            "signal.signal(signal.SIGTERM, again); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)"
        ),
        -signal.SIGTERM,
    ),
    "in a thread": ("threading.Thread(target=lambda: [tell(*one()) for _ in range(20)]).start()", 0),
    "in an exit handler": ("import atexit; atexit.register(lambda: [tell(*one()) for _ in range(5)])", 0),
}
CLOSES_ITSELF = ("end of the program", "sys.exit", "uncaught exception", "in a thread", "in an exit handler", "SIGINT")


@pytest.mark.parametrize("end", ENDS)
def test_everything_arrives(root: Path, otlp: Otlp, start: Callable[..., Program], end: str) -> None:
    code, expected_code = ENDS[end]
    program = start(HEAD + code, environment(root, otlp.url, exit_timeout=10))
    assert program.end() == expected_code, program.errors
    expected = parse_numbers(program.lines)
    assert sum(map(len, expected.values())) >= 20
    if end in CLOSES_ITSELF:
        assert list(root.iterdir()) == [], "shipped to the end, and removed"
    else:
        assert adopt(root, otlp).done
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers
        [closing] = otlp.closings(writer_id)
        assert closing["last_seq"] == max(numbers)
        assert bool(closing["closed_by"]) == (end not in CLOSES_ITSELF)


def test_records_after_the_end_begin_a_new_writer(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """An exit handler that was registered before ours runs after it."""
    code = "import atexit\natexit.register(lambda: [tell(*one()) for _ in range(5)])\nfor _ in range(3): tell(*one())"
    program = start("from tests.support.journal_load import one, tell\n" + code, environment(root, otlp.url, exit_timeout=10))
    assert program.end() == 0, program.errors
    assert "Traceback" not in program.errors
    expected = parse_numbers(program.lines)
    assert sorted(map(len, expected.values())) == [3, 5]
    assert adopt(root, otlp).done
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers


@pytest.mark.parametrize("collector", ["away", "hangs", "asks for an hour"])
def test_a_collector_that_is_away_delays_no_end(root: Path, otlp: Otlp, start: Callable[..., Program], collector: str) -> None:
    otlp.policy = lambda _received: hang(released) if collector == "hangs" else status(503, retry_after="3600")
    released = threading.Event()
    url = "http://127.0.0.1:9/v1/logs" if collector == "away" else otlp.url
    code = """
import time
from tests.support.journal_load import one, tell
for _ in range(20): tell(*one())
import atexit
from tokentrail.process.current import current
import tokentrail
from tokentrail.recording import runtime
atexit.unregister(runtime.close_at_exit)
runtime.close_at_exit()
print("closed")
"""
    program = start(code, environment(root, url, exit_timeout=0.7))
    assert program.end() == 0, program.errors
    assert "closed" in program.lines, "the Collector answers only after the test"
    released.set()
    otlp.policy = Otlp().policy
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(writer_id)) == numbers
    [closing] = otlp.closings(writer_id)
    assert not closing["closed_by"], "it closed its journal itself, although it could not ship it"


def test_an_end_waits_once_for_a_collector_that_hangs(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """Several exit handlers close the journal: those of the threads, and ours in the order of registration. Together they wait as long as the setting says."""
    released = threading.Event()
    otlp.policy = lambda _received: hang(released)
    code = """
import os, time
from tests.support.journal_load import one, tell
for _ in range(5): tell(*one())
from tokentrail.recording import runtime
for _ in range(3):
    began = time.monotonic()
    runtime.close_at_exit()
    print("took", time.monotonic() - began)
one()
print("late", os.getpid(), flush=True)
os._exit(0)
"""
    program = start(code, environment(root, otlp.url, exit_timeout=2))
    assert program.end() == 0, program.errors
    released.set()
    first, *later = [float(line.split()[1]) for line in program.lines if line.startswith("took")]
    assert sum(later) < first / 2, (first, later)
    assert "late" in program.lines[-1], "a record after the end is taken"


def test_new_settings_begin_a_new_writer_and_close_the_old_one(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = """
import threading, time
import tokentrail
from tests.support.journal_load import one, tell
running = True
def load():
    while running: tell(*one())
threads = [threading.Thread(target=load) for _ in range(3)]
for thread in threads: thread.start()
for number in range(10):
    time.sleep(0.02)
    tokentrail.configure(tenant_id=f"tenant-{number}")
running = False
for thread in threads: thread.join()
"""
    program = start(code, environment(root, otlp.url, exit_timeout=10))
    assert program.end(60) == 0, program.errors
    adopt(root, otlp)
    # `one` asks for the writer after the append, when it may be the next one already: so only the numbers' count can be told
    writers = otlp.writers()
    assert len(writers) >= 10
    arrived = {writer_id: set(otlp.numbers(writer_id)) for writer_id in writers}
    assert sum(map(len, arrived.values())) == len(program.lines)
    for writer_id, numbers in arrived.items():
        assert numbers == set(range(1, max(numbers) + 1))
        assert otlp.closings(writer_id)[-1]["last_seq"] == max(numbers)
        assert not otlp.refused(writer_id)


def test_uvicorn_as_its_supervisor_ends_it(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """uvicorn raises SIGTERM again after its shutdown, so no exit handler runs."""
    code = """
import uvicorn
from tests.support.journal_load import one, tell
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        for _ in range(30): tell(*one())
        await receive()
        tell(*one())
        await send({"type": "lifespan.shutdown.complete"})
uvicorn.run(app, port=0, log_level="error")
"""
    program = start(code, environment(root, otlp.url))
    wait_until(lambda: len(program.lines) == 30, "requests", every_s=0.02)
    program.send_signal(signal.SIGTERM)
    assert program.end() in (0, -signal.SIGTERM)
    adopt(root, otlp)
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    assert len(numbers) == 31
    assert set(otlp.numbers(writer_id)) == numbers
