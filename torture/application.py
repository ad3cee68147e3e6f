"""Applications under test that are forked from a warm parent, and what they have said."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.processes import group
from tests.support.waiting import wait_until
from tokentrail.local.child import Child
from torture.shim import Control

__all__ = ["Application", "Nursery"]

ROOT = Path(__file__).resolve().parents[1]


class Application:
    """A process that the nursery has forked; `output` has its standard output and its errors."""

    def __init__(self, name: str, pid: int, output: Path) -> None:
        self.name, self.pid, self.output = name, pid, output

    @property
    def lines(self) -> list[str]:
        """The whole lines that were printed so far."""
        text = self.output.read_text("utf-8", "replace") if self.output.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[:1]
        except OSError:
            return False
        return bool(state) and state[0] not in "ZX"

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process lives."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the process and those that it has forked, and waits for their end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        wait_until(lambda: not group(self.pid), f"the end of all processes of {self.name}", every_s=0.01)

    def kill_in_any_order(self, rng: random.Random) -> None:
        """Kills one process after the other in a random order, and whoever was forked meanwhile at last."""
        members = group(self.pid)
        rng.shuffle(members)
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        self.kill()

    def wait(self, deadline_s: float = 60.0) -> None:
        """Waits for the end of the process. Raises AssertionError with its last words."""
        wait_until(lambda: not self.running, f"the end of {self.name}: {self.lines[-2:]}", deadline_s=deadline_s, every_s=0.01)

    def says(self, count: int, deadline_s: float = 90.0) -> None:
        """Waits until so many lines were printed, or the process has ended."""
        wait_until(lambda: len(self.lines) >= count or not self.running, f"{count} lines of {self.name}", deadline_s=deadline_s, every_s=0.002)


class Nursery:
    """A running `torture.nursery`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._applications: list[Application] = []
        command = [sys.executable, "-m", "torture.nursery"]
        self.child = Child("the nursery", command, environment=environment, folder=ROOT, log=folder / "nursery.log", takes_input=True)
        self.child.start()

    def fork(
        self, name: str, environment: Mapping[str, str], call: str, arguments: Mapping[str, Any], *, control: Control | None, journal: Path
    ) -> Application:
        """Starts an application; its name is used once."""
        output = self._folder / f"{name}.out"
        order = {"name": name, "output": str(output), "environment": dict(environment), "call": call, "arguments": dict(arguments)}
        if control is not None:
            order |= {"control": str(control.path), "folder": str(journal)}

        def pid() -> int:
            found = [line.split()[1] for line in self.child.lines if line.split()[:1] == [name]]
            if not found and not self.child.running:
                raise RuntimeError(f"the nursery ended: {self.child.last_words()}")
            return int(found[0]) if found else 0

        with self._lock:
            self.child.send(json.dumps(order))
            application = Application(name, wait_until(pid, f"the start of {name}", deadline_s=90, every_s=0.005), output)
            self._applications.append(application)
            return application

    def end(self) -> None:
        """Kills all applications, and the nursery."""
        for application in self._applications:
            application.kill()
        self.child.kill()
