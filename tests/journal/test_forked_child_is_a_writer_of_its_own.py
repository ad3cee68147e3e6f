"""A fork copies memory and open files, and must copy neither the writer's identity nor its locks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import Program, environment, parse_numbers
from tests.support.otlp_receiver import Otlp
from tests.support.waiting import wait_until

HEAD = """
import os, signal, sys, threading, time
from tests.support.journal_load import one, tell, spend
from tokentrail.process.current import current
from tokentrail.journal import folder as layout
from pathlib import Path
"""


def run(start: Callable[..., Program], root: Path, otlp: Otlp, code: str, **settings: object) -> Program:
    program = start(HEAD + code, environment(root, otlp.url, **settings))
    assert program.end(60) == 0, program.errors
    return program


def assert_whole(otlp: Otlp, expected: dict[str, set[int]]) -> None:
    assert expected, "nobody said what was written"
    otlp.wait_closed(expected)
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers == set(range(1, max(numbers) + 1))
        assert {closing["last_seq"] for closing in otlp.closings(writer_id)} == {max(numbers)}


CHILD_ENDS = {
    "os._exit": "os._exit(0)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "sys.exit": "sys.exit(0)",
}


@pytest.mark.parametrize("end", CHILD_ENDS.values(), ids=CHILD_ENDS)
def test_child_that_dies_is_adopted_by_its_parent(root: Path, otlp: Otlp, start: Callable[..., Program], end: str) -> None:
    program = start(
        HEAD
        + f"""
for _ in range(5): tell(*one())
pid = os.fork()
if pid == 0:
    for _ in range(5): tell(*one())
    {end}
os.waitpid(pid, 0)
for _ in range(5): tell(*one())
sys.stdin.read()
""",
        environment(root, otlp.url),
        takes_input=True,
    )
    wait_until(lambda: len(program.lines) == 15, "all calls", every_s=0.01)
    expected = parse_numbers(program.lines)
    assert sorted(map(len, expected.values())) == [5, 10]
    child = next(writer_id for writer_id, numbers in expected.items() if len(numbers) == 5)
    otlp.wait_closed([child])
    [parent] = expected.keys() - {child}
    wait_until(lambda: [path.name for path in root.iterdir()] == [parent], "the child's folder is removed", every_s=0.01)
    program.end_input()
    assert program.end() == 0, program.errors
    assert_whole(otlp, expected)
    if end != CHILD_ENDS["sys.exit"]:
        assert {closing["closed_by"] for closing in otlp.closings(child)} == {parent}
    assert not otlp.closings(parent)[-1]["closed_by"]


def test_locks_survive_the_other_ones_end(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    run(
        start,
        root,
        otlp,
        """
tell(*one())
mine = Path(current.settings.journal_dir) / current.runtime.journal.writer_id()
inherited, go = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    assert layout.is_alive(mine)
    os._exit(0)
os.waitpid(pid, 0)
assert layout.is_alive(mine), "the child's end freed its parent's lock"

pid = os.fork()
if pid == 0:
    # the parent lets go of its writer; what the child has inherited must not keep the lock
    os.write(inherited[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(inherited[0], 1)
current.runtime.journal.end.writer.release()
assert not layout.is_alive(mine), "the living child keeps its parent's lock"
os.write(go[1], b"x")
os.waitpid(pid, 0)
os._exit(0)
""",
        ship="false",
    )


def test_fork_while_a_journal_is_adopted_keeps_no_lock_of_it(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """The parent holds two locks of a dead writer's folder while it ships it: a child that is forked then must hold none of them."""
    dead = start(HEAD + "for _ in range(3): tell(*one())\nos.kill(os.getpid(), 9)", environment(root, otlp.url, ship="false"))
    dead.end()
    [dead_id] = parse_numbers(dead.lines)
    run(
        start,
        root,
        otlp,
        f"""
from tests.support.journal import AT_ONCE
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import Result, Outcome
from tokentrail.journal.shipper import Shipper
root = Path(current.settings.journal_dir)
pids = []
born, end = os.pipe(), os.pipe()

class Forks:
    max_request_bytes = 1_000_000
    def send(self, body):
        pid = os.fork()
        if pid == 0:
            os.write(born[1], b"x")
            os.close(end[1])
            os.read(end[0], 1)  # until the parent ends, whatever becomes of it
            os._exit(0)
        pids.append(pid)
        os.read(born[0], 1)
        return Outcome(Result.MISCONFIGURED, "not now")

progress = Adopter(Shipper(root, Forks(), policy=AT_ONCE)).adopt_dead(patient=False)
assert not progress.done and len(pids) == 1
assert not layout.is_alive(root / {dead_id!r}), "a child has inherited the lock"
assert layout.Lock.take(root / {dead_id!r} / layout.SHIPPING) is not None
os.close(end[1])
os.waitpid(pids[0], 0)
""",
    )


def test_fork_in_threads_under_load(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    program = run(
        start,
        root,
        otlp,
        """
running = True
def load():
    while running:
        tell(*one())
        time.sleep(0.0002)
threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
for thread in threads: thread.start()

def fork():
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            for _ in range(20): tell(*one())
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        assert status == 0, status
forks = [threading.Thread(target=fork) for _ in range(3)]
for thread in forks: thread.start()
for thread in forks: thread.join(40)
assert not any(thread.is_alive() for thread in forks), "a child hangs"
running = False
for thread in threads: thread.join()
""",
    )
    expected = parse_numbers(program.lines)
    assert len(expected) == 19
    assert sorted(map(len, expected.values()))[:18] == [20] * 18
    ship = start("from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()", environment(root, otlp.url))
    assert ship.end() == 0, ship.errors
    assert_whole(otlp, expected)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children(root: Path, otlp: Otlp, start: Callable[..., Program], tmp_path: Path, method: str) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        HEAD
        + f"""
import multiprocessing

def work(_):
    return [one() for _ in range(5)]

if __name__ == "__main__":
    tell(*one())
    context = multiprocessing.get_context({method!r})
    with context.Pool(2) as pool:
        for done in pool.map(work, range(6), chunksize=1):
            for found in done: tell(*found)
        pool.close()
        pool.join()
"""
    )
    program = run(start, root, otlp, f"import runpy; sys.argv = [{str(script)!r}]; runpy.run_path({str(script)!r}, run_name='__main__')")
    expected = parse_numbers(program.lines)
    assert sum(map(len, expected.values())) == 31
    ship = start("from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()", environment(root, otlp.url))
    assert ship.end() == 0, ship.errors
    assert_whole(otlp, expected)


def test_fork_at_the_first_record(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """The shipper's thread loads its modules just then: a child must not inherit one that is half loaded, with a lock that nobody opens."""
    code = """
first = threading.Thread(target=lambda: tell(*one()))
first.start()
for number in range(6):
    pid = os.fork()
    if pid == 0:
        signal.alarm(15)
        tell(*one())
        import urllib3, google.protobuf.message, opentelemetry.proto.collector.logs.v1.logs_service_pb2
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
    time.sleep(0.01 * number)
first.join()
"""
    programs = [start(HEAD + code, environment(root, otlp.url)) for _ in range(4)]
    expected: dict[str, set[int]] = {}
    for program in programs:
        assert program.end(60) == 0, program.errors
        expected |= parse_numbers(program.lines)
    assert len(expected) == 28
    ship = start("from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()", environment(root, otlp.url))
    assert ship.end() == 0, ship.errors
    assert_whole(otlp, expected)
