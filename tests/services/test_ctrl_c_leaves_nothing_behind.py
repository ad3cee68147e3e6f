"""`make services` at a terminal: Ctrl-C, once or several times, ends all processes in order, and what was counted is in ClickHouse."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from tests.support.waiting import wait_until
from tests.support.wheel import ROOT

CTRL_C = b"\x03"
START = [sys.executable, str(ROOT / "examples" / "services" / "local" / "start.py")]


class Terminal:
    """A program whose own terminal this is: what is typed as Ctrl-C reaches the program's process group as SIGINT, as from a keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        self.process, self._keyboard = process, keyboard
        self.said = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._keyboard, 1 << 16):
                self.said += piece
        except OSError:  # the program has closed its side
            pass

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def ended(self) -> int:
        code = self.process.wait(90)
        self._reader.join(10)
        return code


@contextmanager
def at_terminal(*arguments: str) -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    own = partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0)
    streams = {"stdin": screen, "stdout": screen, "stderr": screen}
    keys = {name: value for name, value in os.environ.items() if name not in ("GROQ_API_KEY", "OPENAI_API_KEY", "OLLAMA_HOST")}
    with subprocess.Popen([*START, *arguments], **streams, env=keys, cwd=ROOT, start_new_session=True, preexec_fn=own) as process:  # noqa: PLW1509 - nothing but one system call
        os.close(screen)
        try:
            yield Terminal(process, keyboard)
        finally:
            process.kill()
            os.close(keyboard)


def of_folder(folder: Path) -> list[int]:
    """The living processes that were told of a folder, by their arguments or their variables."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(entry.name) != os.getpid() and str(folder).encode() in told:
            found.append(int(entry.name))
    return found


def test_twice_pressed_ends_all_of_it_and_loses_nothing(collector_binary: Path, tmp_path: Path) -> None:
    folder, ready = tmp_path / "data", tmp_path / "ready.json"
    with at_terminal("--data", str(folder), "--free-ports", "--ready-file", str(ready)) as terminal:
        wait_until(lambda: ready.exists() or terminal.process.poll() is not None, "all parts", deadline_s=120)
        assert ready.exists(), terminal.said.decode()
        where = json.loads(ready.read_text())
        assert len(of_folder(folder)) >= 7
        answer = httpx.post(f"{where['url']['query']}/query", json={"question": "Who?"}, headers={"X-Tenant-ID": "acme"}, timeout=30)
        assert answer.status_code == 200, answer.text
        terminal.press(CTRL_C)
        wait_until(lambda: b"stopping" in terminal.said, "the beginning of the end")
        terminal.press(CTRL_C)
        terminal.press(CTRL_C)
        assert terminal.ended() == 0, terminal.said.decode()
    assert terminal.said.decode().rstrip().endswith("stopped")
    assert b"Traceback" not in terminal.said
    wait_until(lambda: not of_folder(folder), "the end of every process")
    assert not list((folder / "journal").glob("*/*.journal")), "something waits in the journal"
    held = [
        sys.executable,
        "-m",
        "tokentrail",
        "sql",
        "--format",
        "json",
        "--dsn",
        f"chdb://{folder}/clickhouse",
        "SELECT tenant_id, calls FROM usage",
    ]
    rows = json.loads(subprocess.run(held, capture_output=True, text=True, timeout=120, check=True).stdout)
    assert [(row["tenant_id"], int(row["calls"])) for row in rows] == [("acme", 1)]
    for log in ("query", "embedding", "ingestion", "agent"):
        assert "Finished server process" in (folder / "logs" / f"{log}.log").read_text(), log


def test_pressed_while_it_starts(collector_binary: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with at_terminal("--data", str(folder), "--free-ports") as terminal:
        wait_until((folder / "logs" / "embedding.log").exists, "the first service", deadline_s=120)
        terminal.press(CTRL_C)
        terminal.press(CTRL_C)
        assert terminal.ended() == 130, terminal.said.decode()
    assert b"Traceback" not in terminal.said
    wait_until(lambda: not of_folder(folder), "the end of every process")


def test_a_port_that_another_program_has_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 8004))
        other.listen()
        ran = subprocess.run([*START, "--data", str(tmp_path / "data")], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert ran.stdout.count("\n") == 1
    assert "port 800" in ran.stdout
    assert not (tmp_path / "data").exists()


def test_folders_that_cannot_be_used_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for arguments, sentence in (
        (["--data", str(tmp_path / "file")], "cannot be written to"),
        (["--data", str(tmp_path / "data"), "--ready-file", str(tmp_path / "no" / "ready")], "the folder of --ready-file, is not there"),
    ):
        ran = subprocess.run([*START, *arguments], capture_output=True, text=True, timeout=60, check=False)
        said = ran.stdout + ran.stderr
        assert (ran.returncode, said.count("\n"), sentence in said) == (2, 1, True), said
    assert not (tmp_path / "data").exists()
    assert (tmp_path / "file").read_text() == "mine"
