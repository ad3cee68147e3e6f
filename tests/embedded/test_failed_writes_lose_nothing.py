"""chDB takes no notice of a write that the disk refuses: the server does, acknowledges nothing over it, and takes back what it has spoilt.

A limit on the size of files makes writes fail here without filling a disk: the engine gets EFBIG in the place of ENOSPC, amid a file.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.embedded import ask, ask_text
from tests.support.waiting import wait_until
from tokentrail.embedded.process import ServerProcess

LARGE = 400_000
PART = "SELECT {number} AS number, randomPrintableASCII({size}) AS text"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess.started(tmp_path / "data", log=tmp_path / "log") as process:
        yield process


@contextmanager
def files_of_at_most(process: ServerProcess, size: int) -> Iterator[None]:
    """Let writes of a process fail beyond this size of a file."""
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        if process.running:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)


def make_tables(process: ServerProcess) -> None:
    """`given`, and by a view `kept`, in which a row of it is large."""
    for statement in (
        "CREATE TABLE given (number UInt64) ENGINE = MergeTree ORDER BY number",
        "CREATE TABLE kept (number UInt64, text String) ENGINE = MergeTree ORDER BY number",
        f"CREATE MATERIALIZED VIEW given_to_kept TO kept AS SELECT number, randomPrintableASCII({LARGE}) AS text FROM given",
    ):
        ask_text(process.addresses, statement)


def numbers(process: ServerProcess, table: str = "kept") -> list[str] | None:
    """What a table has, read whole; None while it cannot be read."""
    answer = ask(process.addresses.http, "POST", "/", f"SELECT number FROM tokentrail.{table} WHERE NOT ignore(*) ORDER BY number".encode())
    return answer.text.split() if answer.status == 200 else None


def test_an_insert_that_the_disk_cuts_is_503_and_its_table_can_be_read(process: ServerProcess) -> None:
    make_tables(process)
    server = process.addresses
    assert ask(server.http, "POST", "/", b"1\n", query="INSERT INTO tokentrail.given FORMAT TSV").status == 200
    with files_of_at_most(process, LARGE // 2):
        refused = ask(server.http, "POST", "/", b"2\n", query="INSERT INTO tokentrail.given FORMAT TSV")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1"), refused.text
        assert "CANNOT_WRITE" in refused.text
        refused = ask(server.http, "POST", "/", f"INSERT INTO tokentrail.kept {PART.format(number=3, size=LARGE)}".encode())
        assert refused.status == 503, refused.text
        wait_until(lambda: numbers(process) == ["1"], "what was acknowledged can be read, and nothing else")
    assert ask(server.http, "POST", "/", b"2\n", query="INSERT INTO tokentrail.given FORMAT TSV").status == 200
    assert numbers(process) == ["1", "2"]


def test_a_merge_that_the_disk_cuts_takes_nothing_away(process: ServerProcess, tmp_path: Path) -> None:
    server = process.addresses
    make_tables(process)
    ask_text(server, "SYSTEM STOP MERGES")
    every = [str(number) for number in range(6)]
    for number in every:
        ask_text(server, f"INSERT INTO kept {PART.format(number=number, size=LARGE)}")
    with files_of_at_most(process, 4 * LARGE):
        ask_text(server, "SYSTEM START MERGES")
        ask(server.http, "POST", "/", b"OPTIMIZE TABLE tokentrail.kept FINAL")
        wait_until(lambda: "was loaded anew" in (tmp_path / "log").read_text(), "the spoilt part is taken back")
        wait_until(lambda: numbers(process) == every, "all rows can be read")
    wait_until(lambda: ask(server.http, "POST", "/", b"OPTIMIZE TABLE tokentrail.kept FINAL").status == 200, "merges go on")
    parts = "SELECT count() FROM system.parts WHERE active AND database = 'tokentrail' AND table = 'kept'"
    wait_until(lambda: ask_text(server, parts) == "1", "all is merged")
    assert numbers(process) == every
    assert ask_text(server, "SELECT count() > 0 FROM system.detached_parts WHERE database = 'tokentrail' AND table = 'kept'") == "1"


def test_what_a_killed_server_left_is_taken_back_at_the_next_start(tmp_path: Path) -> None:
    process = ServerProcess.started(tmp_path / "data")
    make_tables(process)
    assert ask(process.addresses.http, "POST", "/", b"1\n", query="INSERT INTO tokentrail.given FORMAT TSV").status == 200
    with files_of_at_most(process, LARGE // 2):
        assert ask(process.addresses.http, "POST", "/", b"2\n", query="INSERT INTO tokentrail.given FORMAT TSV").status == 503
        process.kill()
    with ServerProcess.started(tmp_path / "data") as again:
        assert numbers(again) == ["1"]


PROGRAM = """
import os, resource, sys
from tokentrail.clickhouse.client import ClickHouseError, connect
client = connect(f"chdb://{sys.argv[1]}/engine", create=True)
client.command("CREATE TABLE kept (number UInt64, text String) ENGINE = MergeTree ORDER BY number")
client.insert_json("kept", [{"number": 1, "text": "x"}])
before = resource.getrlimit(resource.RLIMIT_FSIZE)
for ask in (
    lambda: client.insert_json("kept", [{"number": 2, "text": os.urandom(400_000).hex()}]),
    lambda: client.command("INSERT INTO kept SELECT 3, randomPrintableASCII(400000)"),
):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        ask()
        print("acknowledged")
    except ClickHouseError as error:
        print(error.code, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
client.close()
"""


def test_the_engine_in_a_program_says_so(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    sentence = f"243 the disk of {tmp_path}/engine is full, or it fails: make room there, and repeat what was asked"
    assert ran.stdout.splitlines() == [sentence, sentence], ran.stdout + ran.stderr
    read = "import sys; from tokentrail.clickhouse.client import connect; print(connect(sys.argv[1]).query('SELECT number FROM default.kept').rows)"
    again = subprocess.run(
        [sys.executable, "-c", read, f"chdb://{tmp_path}/engine?database=default"], capture_output=True, text=True, timeout=60, check=True
    )
    assert again.stdout.strip() == "[(1,)]"
