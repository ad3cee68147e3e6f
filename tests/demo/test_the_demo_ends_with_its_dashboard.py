"""At a terminal, the demo ends with the address of the dashboard, which is there until Enter; in a pipe it just ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
import urllib.request
from functools import partial
from pathlib import Path

from tests.support.fresh_machine import FreshMachine
from tests.support.processes import descendants
from tests.support.waiting import wait_until


def test_the_dashboard_is_there_until_enter(machine: FreshMachine) -> None:
    reads, writes = pty.openpty()
    command = [str(Path(sys.executable).with_name("tokentrail")), "demo"]
    shared = {"stdin": writes, "stdout": writes, "env": machine.environment(refuses=True), "cwd": machine.folder / "work"}
    own = partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0)  # the terminal is the program's own, as a shell's is
    with subprocess.Popen(command, **shared, start_new_session=True, preexec_fn=own) as demo:  # noqa: PLW1509 - nothing but one system call
        os.close(writes)
        said = b""
        while not (found := re.search(rb"http://\S+/dashboard", said)):
            said += os.read(reads, 1 << 16)
        below = descendants(demo.pid)
        with urllib.request.urlopen(found[0].decode(), timeout=60) as answer:
            page = answer.read().decode()
        assert "acme" in page
        assert demo.poll() is None
        os.write(reads, b"\n")
        while True:
            try:
                said += os.read(reads, 1 << 16)
            except OSError:  # the terminal's last reader is gone
                break
        assert demo.wait(60) == 0
        assert b"next, the same left running" in said
        wait_until(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()], "the end of all that the demo has started")
    os.close(reads)
