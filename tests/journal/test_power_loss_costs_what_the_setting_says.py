"""Power is lost after a process was killed, ended, forked or reconfigured: what `journal_fsync` promised is there, and goes on arriving without a hole.

The model (tests/support/power_loss.py) keeps what was synced and removes everything else.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import Program, adopt, environment, parse_numbers
from tests.support.otlp_receiver import Otlp
from tests.support.power_loss import LOG, Synced, lose_power, read_log
from tests.support.waiting import wait_until

HEAD = """
import os, signal, sys, threading, time
import tests.support.power_loss
from tests.support.journal_load import one, tell
"""
SECONDS = 0.1
SLACK = 0.9
"""The machine may be busy: of a process that ran for longer than both, the lost records must be younger than both."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "synced"


@pytest.fixture
def variables(root: Path, log: Path) -> Callable[..., dict[str, str]]:
    root.mkdir()  # older than the loss

    def of(fsync: object, **settings: object) -> dict[str, str]:
        stated = {"ship": "false", "exit_timeout": 5, "journal_segment_bytes": 1 << 18, "journal_fsync": fsync}
        return environment(root, **(stated | settings)) | {LOG: str(log)}

    return of


def recover(root: Path, log: Path, otlp: Otlp) -> None:
    """Power is lost, comes back, and another process adopts what it finds."""
    lose_power(root, read_log(log))
    assert adopt(root, otlp).done


def assert_no_hole(otlp: Otlp, writer_id: str) -> set[int]:
    """What arrived of a writer is 1 to its closing record's number, and nothing is told to be damaged."""
    arrived = set(otlp.numbers(writer_id))
    [closing] = otlp.closings(writer_id)
    assert arrived == set(range(1, closing["last_seq"] + 1))
    assert not closing["damaged"]
    return arrived


@pytest.mark.parametrize(("fsync", "bound"), [("always", 0.0), (int(SECONDS * 1000), SECONDS + SLACK)])
def test_a_killed_process_loses_its_last_milliseconds(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]], fsync: object, bound: float
) -> None:
    code = """
def run():
    while True:
        writer_id, number = one()
        os.write(1, f"{writer_id} {number} {time.monotonic()}\\n".encode())
        time.sleep(0.001)
for _ in range(2): threading.Thread(target=run).start()
"""
    program = start(HEAD + code, variables(fsync))
    wait_until(lambda: program.lines, "the first record")
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 3 * (SECONDS + SLACK) and len(program.lines) > 200, "a while of records", every_s=0.01)
    killed = time.monotonic()
    program.kill()
    told = [line.split() for line in program.lines if line.count(" ") == 2]
    recover(root, log, otlp)
    [writer_id] = {writer for writer, _, _ in told}
    arrived = assert_no_hole(otlp, writer_id)
    lost = [killed - float(moment) for _, number, moment in told if int(number) not in arrived]
    assert max(lost, default=0.0) <= bound
    if fsync != "always":
        assert len(read_log(log)) < len(told) / 10, "a sync for many records"


def test_what_arrived_before_the_loss_is_not_called_missing(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]]
) -> None:
    code = "for _ in range(30): tell(*one())\nimport tokentrail; assert tokentrail.flush(20); print('flushed', flush=True); time.sleep(60)"
    program = start(HEAD + code, variables(60_000, ship="true", endpoint=otlp.url))
    wait_until(lambda: "flushed" in program.lines, "the flush", every_s=0.01)
    assert read_log(log) == [], "acknowledged records are the Collector's: a flush syncs nothing"
    program.kill()
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    lose_power(root, read_log(log))
    assert list(root.iterdir()) == []
    assert set(otlp.numbers(writer_id)) == numbers


SIGTERM = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)"
ENDS = {
    "end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "uncaught exception": ("raise RuntimeError('as planned')", 1),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -signal.SIGINT),
    "a handler of SIGTERM that exits": (f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(4)); {SIGTERM}", 4),
    "a handler of SIGTERM that closes": (
        (
            "from tokentrail.process.current import current\n"
            "def close(*_): current.runtime.close(); signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.raise_signal(signal.SIGTERM)\n"
            f"signal.signal(signal.SIGTERM, close); {SIGTERM}"
        ),
        -signal.SIGTERM,
    ),
    "in a thread": ("threading.Thread(target=lambda: [tell(*one()) for _ in range(20)]).start()", 0),
    "in an exit handler": ("import atexit; atexit.register(lambda: [tell(*one()) for _ in range(5)])", 0),
    "after an exec of a child": ("import subprocess; subprocess.run(['true'], check=True)", 0),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_ending_process_loses_nothing(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]], end: str
) -> None:
    code, expected_code = ENDS[end]
    program = start(HEAD + "for _ in range(20): tell(*one())\n" + code, variables(60_000))
    assert program.end() == expected_code, program.errors
    recover(root, log, otlp)
    expected = parse_numbers(program.lines)
    assert sum(map(len, expected.values())) >= 20
    for writer_id, numbers in expected.items():
        assert assert_no_hole(otlp, writer_id) == numbers


def test_a_record_of_the_last_exit_handlers_is_synced_at_once(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]]
) -> None:
    """A handler that was registered before tokentrail was imported runs after tokentrail's own: no writer is closed any more, no thread is relied upon."""
    code = "import atexit\natexit.register(lambda: [tell(*one()) for _ in range(5)])\n" + HEAD + "for _ in range(3): tell(*one())"
    program = start(code, variables(60_000))
    assert program.end() == 0, program.errors
    recover(root, log, otlp)
    expected = parse_numbers(program.lines)
    assert sorted(map(len, expected.values())) == [3, 5]
    for writer_id, numbers in expected.items():
        assert assert_no_hole(otlp, writer_id) == numbers


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "os.execv('/bin/true', ['true'])"])
def test_a_process_without_an_end_loses_what_the_setting_allows(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]], end: str
) -> None:
    """As docs/operations.md says; and that this test loses something shows that the others could."""
    program = start(HEAD + "for _ in range(20): tell(*one())\n" + end, variables(60_000))
    program.end()
    recover(root, log, otlp)
    assert len(program.lines) == 20
    assert otlp.writers() == []


def paths_by_process(log: Path) -> dict[int, set[str]]:
    """The writers that each process synced something of."""
    found: dict[int, set[str]] = {}
    for one in read_log(log):
        if one.path.endswith(".journal"):
            found.setdefault(one.pid, set()).add(Path(one.path).parent.name)
    return found


FORKS = {
    "before the first record": """
pid = os.fork()
say(4)
""",
    "with unsynced records": """
say(3)
pid = os.fork()
say(4)
""",
    "parent ends first": """
say(3)
pid = os.fork()
say(4)
if pid == 0:
    while os.getppid() == parent: time.sleep(0.01)
else: pid = -1
""",
    "child without a record": """
say(3)
pid = os.fork()
""",
    "grandchild": """
say(3)
pid = os.fork()
say(4)
if pid == 0:
    pid = os.fork()
    say(5)
""",
    "in a thread": """
say(3)
def run():
    global pid
    pid = os.fork()
    say(4)
thread = threading.Thread(target=run)
thread.start()
thread.join()
""",
    "in a thread whose child ends with it": """
say(3)
def run():
    global pid
    pid = os.fork()
    say(4)
    if pid == 0: sys.exit(0)
thread = threading.Thread(target=run)
thread.start()
thread.join()
""",
}


@pytest.mark.parametrize("fsync", [60_000, 5])
@pytest.mark.parametrize("when", FORKS)
def test_each_process_syncs_its_own_files(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]], when: str, fsync: int
) -> None:
    code = f"""
parent = os.getpid()
def say(count):
    for _ in range(count): os.write(1, f"{{os.getpid()}} {{' '.join(map(str, one()))}}\\n".encode())
{FORKS[when]}
if pid > 0: os.waitpid(pid, 0)
"""
    program = start(HEAD + code, variables(fsync))
    assert program.end() == 0, program.errors
    wait_until(lambda: not any(folder_is_open(folder) for folder in root.iterdir()), "all processes have ended", every_s=0.01)
    told = [line.split() for line in program.lines]
    assert len(told) >= 3
    for pid, writers in paths_by_process(log).items():
        assert writers == {writer for by, writer, _ in told if int(by) == pid}, "each process its own"
    recover(root, log, otlp)
    for writer_id in {writer for _, writer, _ in told}:
        assert assert_no_hole(otlp, writer_id) == {int(number) for _, writer, number in told if writer == writer_id}


def folder_is_open(folder: Path) -> bool:
    """Whether any process still has a file of the folder open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):  # threads share these: an engine has hundreds of threads
        try:
            if link.readlink().parent == folder:
                return True
        except OSError:
            continue
    return False


def test_a_child_that_is_killed_leaves_its_parents_duty_alone(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]]
) -> None:
    """Forked while the parent's thread is within a sync: the child has no thread that would end it, and the parent's goes on."""
    code = """
real, slow = os.fdatasync, [0.5]
def slowly(fd):
    os.write(1, b"syncing\\n")
    time.sleep(slow[0])
    real(fd)
os.fdatasync = slowly
tell(*one())
time.sleep(0.2)
pid = os.fork()
if pid == 0:
    slow[0] = 0
    for _ in range(3): tell(*one())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
tell(*one())
time.sleep(60)
"""
    program = start(HEAD + code, variables(20))

    def synced_records() -> int:
        return sum("syncing" not in line for line in program.lines) if len(sizes(read_log(log))) >= 2 else 0

    wait_until(lambda: synced_records() == 5, "both records of the parent are synced", every_s=0.01)
    [[_first, _second, *_]] = [sizes(read_log(log))]
    program.kill()
    recover(root, log, otlp)
    expected = parse_numbers(program.lines)
    [parent] = [writer_id for writer_id, numbers in expected.items() if len(numbers) == 2]
    assert assert_no_hole(otlp, parent) == {1, 2}


def sizes(synced: list[Synced]) -> list[int]:
    return [one.size for one in synced if one.path.endswith(".journal")]


MODES = ("never", 60_000, "always", 20, "never", "always", 60_000)


def test_each_writer_keeps_the_promise_of_its_settings(
    root: Path, log: Path, otlp: Otlp, start: Callable[..., Program], variables: Callable[..., dict[str, str]]
) -> None:
    code = f"""
import tokentrail
for mode in {MODES}:
    tokentrail.configure(journal_fsync=mode)
    for _ in range(4): os.write(1, f"{{mode}} {{' '.join(map(str, one()))}}\\n".encode())
tokentrail.configure(journal_fsync="never")
print("configured", flush=True)
time.sleep(60)
"""
    program = start(HEAD + code, variables("never"))
    wait_until(lambda: "configured" in program.lines, "all settings", every_s=0.01)
    program.kill()
    recover(root, log, otlp)
    told = [line.split() for line in program.lines if line.count(" ") == 2]
    writers = list(dict.fromkeys((mode, writer) for mode, writer, _ in told))
    assert [mode for mode, _ in writers] == [str(mode) for mode in MODES]
    for mode, writer_id in writers:
        if mode == "never":
            assert otlp.numbers(writer_id) == []
        else:
            assert assert_no_hole(otlp, writer_id) == {1, 2, 3, 4}
