"""A parent that ships over gRPC forks under load: every child is a writer of its own, ships over a connection of its own, and none of them hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.grpc_receiver import GrpcOtlp
from tests.support.journal import Program, environment, parse_numbers

HEAD = """
import os, signal, sys, threading, time
from tests.support.journal_load import one, tell
from tokentrail.process.current import current
running = True
def load():
    while running:
        tell(*one())
        time.sleep(0.001)
"""


@pytest.fixture
def otlp() -> Iterator[GrpcOtlp]:
    with GrpcOtlp() as receiver:
        yield receiver


def run(start: Callable[..., Program], root: Path, otlp: GrpcOtlp, code: str, **settings: object) -> Program:
    program = start(HEAD + code, environment(root, otlp.url, **({"protocol": "grpc", "exit_timeout": 10} | settings)))
    assert program.end(90) == 0, program.errors
    assert program.errors == ""
    return program


def assert_whole(otlp: GrpcOtlp, expected: dict[str, set[int]]) -> None:
    assert expected, "nobody said what was written"
    otlp.wait_closed(expected)
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers == set(range(1, max(numbers) + 1))
        assert {closing["last_seq"] for closing in otlp.closings(writer_id)} == {max(numbers)}


def test_children_ship_while_their_parent_does(root: Path, otlp: GrpcOtlp, start: Callable[..., Program]) -> None:
    program = run(
        start,
        root,
        otlp,
        """
loads = [threading.Thread(target=load) for _ in range(2)]
for thread in loads: thread.start()
def fork():
    for number in range(5):
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            for _ in range(20): tell(*one())
            os._exit(0 if current.runtime.flush(20) else 9)
        status = os.waitpid(pid, 0)[1]
        assert status == 0, status
forks = [threading.Thread(target=fork) for _ in range(2)]
for thread in forks: thread.start()
for thread in forks: thread.join(60)
assert not any(thread.is_alive() for thread in forks), "a child hangs"
running = False
for thread in loads: thread.join()
""",
    )
    expected = parse_numbers(program.lines)
    assert sorted(map(len, expected.values()))[:10] == [20] * 10
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers, "a child's flush said that all is acknowledged"
    ship = start(
        "from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()",
        environment(root, otlp.url, protocol="grpc"),
    )
    assert ship.end() == 0, ship.errors
    assert_whole(otlp, expected)


def test_workers_of_a_server_that_loads_the_application_first(root: Path, otlp: GrpcOtlp, start: Callable[..., Program]) -> None:
    """As gunicorn --preload does: the parent has shipped before it forks its workers, and only waits for them afterwards."""
    program = run(
        start,
        root,
        otlp,
        """
tell(*one())
assert current.runtime.flush(20)
pids, served = [], os.pipe()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.alarm(60)
        for _ in range(30):
            tell(*one())
            time.sleep(0.005)
        assert current.runtime.flush(20)
        os.write(served[1], b"x")
        while True: time.sleep(1)
    pids.append(pid)
for _ in pids: assert os.read(served[0], 1) == b"x"
for pid in pids: os.kill(pid, signal.SIGTERM)
for pid in pids:
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
""",
    )
    expected = parse_numbers(program.lines)
    assert sorted(map(len, expected.values())) == [1, 30, 30, 30]
    assert_whole(otlp, expected)


def test_multiprocessing_children(root: Path, otlp: GrpcOtlp, start: Callable[..., Program], tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        HEAD
        + """
import multiprocessing
def work(_):
    return [one() for _ in range(5)] + [current.runtime.flush(20)]
if __name__ == "__main__":
    tell(*one())
    with multiprocessing.get_context("fork").Pool(3) as pool:
        for *done, flushed in pool.map(work, range(9), chunksize=1):
            assert flushed
            for found in done: tell(*found)
        pool.close()
        pool.join()
"""
    )
    program = run(start, root, otlp, f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
    expected = parse_numbers(program.lines)
    assert sum(map(len, expected.values())) == 46
    ship = start(
        "from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()",
        environment(root, otlp.url, protocol="grpc"),
    )
    assert ship.end() == 0, ship.errors
    assert_whole(otlp, expected)


def test_a_fork_at_the_first_record(root: Path, otlp: GrpcOtlp, start: Callable[..., Program]) -> None:
    """The shipper's thread loads h2 just then: a child must not inherit a module that is half loaded."""
    program = run(
        start,
        root,
        otlp,
        """
first = threading.Thread(target=lambda: tell(*one()))
first.start()
for number in range(5):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        tell(*one())
        os._exit(0 if current.runtime.flush(20) else 9)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
    time.sleep(0.01 * number)
first.join()
""",
    )
    assert len(parse_numbers(program.lines)) == 6


def test_an_applications_own_grpcio_is_left_alone(root: Path, otlp: GrpcOtlp, start: Callable[..., Program]) -> None:
    program = run(
        start,
        root,
        otlp,
        """
before = {name: value for name, value in os.environ.items() if "GRPC" in name}
tell(*one())
assert current.runtime.flush(20)
assert "grpc" not in sys.modules and {name: value for name, value in os.environ.items() if "GRPC" in name} == before
import grpc
with grpc.insecure_channel(current.settings.endpoint.removeprefix("http://")) as channel:
    call = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
    for _ in range(20):
        assert call(b"", timeout=20) == b""
        tell(*one())
assert current.runtime.flush(20)
""",
    )
    assert_whole(otlp, parse_numbers(program.lines))
