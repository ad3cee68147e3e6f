"""A full disk: one sentence at the start, and while the server runs 503 for what it cannot keep, until there is room again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.embedded import ask, ask_text
from tests.support.otlp import Writer
from tests.support.require import require
from tests.support.waiting import wait_until
from tokentrail.embedded.process import ServerProcess

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def small_disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tokentrail-small-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "none", folder]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        require("tmpfs", "a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def started(data: Path, **limits: int) -> str:
    """What `tokentrail serve` says that cannot start."""

    def limit() -> None:
        for name, size in limits.items():
            resource.setrlimit(getattr(resource, name), (size, size))

    command = [sys.executable, "-m", "tokentrail.embedded", "--data", str(data), "--http-port", "0", "--otlp-port", "0", "--until-stdin-ends"]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit)
    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    return ran.stderr


@pytest.mark.parametrize("small_disk", ["256k", "256k,nr_inodes=1000", "16m,nr_inodes=40"], indirect=True)
def test_at_the_start(small_disk: Path) -> None:
    assert f"the disk of the data folder {small_disk}/data is full: make room there" in started(small_disk / "data")


@pytest.mark.parametrize("size", [0, 1])
def test_a_folder_that_takes_no_byte(tmp_path: Path, size: int) -> None:
    assert f"the data folder {tmp_path}/data cannot be written" in started(tmp_path / "data", RLIMIT_FSIZE=size)
    with ServerProcess.started(tmp_path / "data"):  # and nothing is left that would stand in the way
        pass


@pytest.mark.parametrize("small_disk", ["16m"], indirect=True)
def test_while_it_runs(small_disk: Path) -> None:
    with ServerProcess.started(small_disk / "data") as process:
        server, writer = process.addresses, Writer()
        ask_text(server, "CREATE TABLE kept (text String) ENGINE = MergeTree ORDER BY tuple()")
        lines = os.urandom(200_000).hex().encode() + b"\n"
        assert ask(server.otlp, "POST", "/v1/logs", writer.request(10), PROTOBUF).status == 200
        filling = small_disk / "filling"
        with filling.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        for _ in range(2):
            refused = ask(server.http, "POST", "/", lines, query="INSERT INTO tokentrail.kept FORMAT TSV")
            assert (refused.status, refused.headers["retry-after"]) == (503, "1"), refused.text
            refused = ask(server.otlp, "POST", "/v1/logs", writer.request(10), PROTOBUF)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            for statement in ("CREATE TABLE more (text String) ENGINE = MergeTree ORDER BY text", "ALTER TABLE kept ADD COLUMN more String"):
                refused = ask(server.http, "POST", "/", statement.encode(), database="tokentrail")
                assert (refused.status, "No definition is changed" in refused.text) == (503, True), refused.text
            assert ask_text(server, "SELECT sum(calls) FROM usage") == "10"
        filling.unlink()
        body = writer.request(10)
        wait_until(lambda: ask(server.otlp, "POST", "/v1/logs", body, PROTOBUF).status == 200, "there is room again")
        assert ask_text(server, "SELECT sum(calls) FROM usage") == "20"
        assert process.running
