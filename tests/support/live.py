"""Commands that go on, at a terminal or in pipes; what they print is awaited, with a deadline."""

from __future__ import annotations

import fcntl
import os
import pty
import queue
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from tests.support.terminal import TOKENTRAIL

DEADLINE_S = 30.0
_CONTROLLED = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class InPipe:
    """A command with its output in pipes."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*TOKENTRAIL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self._lines: dict[str, queue.Queue[str]] = {"out": queue.Queue(), "err": queue.Queue()}
        self._threads = [
            threading.Thread(target=self._read, args=(stream, self._lines[name]))
            for name, stream in (("out", self._process.stdout), ("err", self._process.stderr))
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream: object, lines: queue.Queue[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            lines.put(line)

    def line(self) -> str:
        return self._lines["out"].get(timeout=DEADLINE_S)

    def error_line(self) -> str:
        return self._lines["err"].get(timeout=DEADLINE_S)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """End the command by a signal: its exit code, and what it had still printed."""
        self.signal(number)
        return self.ended()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end: the exit code, and what the command had still printed."""
        code = self._process.wait(DEADLINE_S)
        for thread in self._threads:
            thread.join()
        rest = ["".join(lines.queue) for lines in self._lines.values()]
        return (code, rest[0], rest[1])

    def __enter__(self) -> InPipe:  # noqa: PYI034 - Self is in the standard library from Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


class AtTerminal:
    """A command at a terminal of its own, which is its controlling one: keys such as Ctrl-C become signals."""

    def __init__(self, *arguments: str, columns: int = 100, lines: int = 30, program: Sequence[str] = TOKENTRAIL) -> None:
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLED, *program, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=given,
            start_new_session=True,
        )
        self._program = inside  # kept open, to ask for its modes after the end
        self.said = ""
        self._seen = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows keys, as a shell leaves it."""
        return bool(termios.tcgetattr(self._program)[3] & termios.ECHO)

    def until(self, *texts: str) -> None:
        """Wait until all the texts were printed since the last key."""
        deadline = time.monotonic() + DEADLINE_S
        while not all(text in self.said[self._seen :] for text in texts):
            assert time.monotonic() < deadline, self.said[self._seen :]
            assert self._read(0.2) or self._process.poll() is None, self.said

    def press(self, key: str) -> None:
        self._seen = len(self.said)
        os.write(self._terminal, key.encode())

    def end(self, key: str) -> int:
        if key:
            self.press(key)
        deadline = time.monotonic() + DEADLINE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        code = self._process.wait(1)
        while self._read(0.1):
            pass
        return code

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self._terminal, 1 << 16)
        except OSError:  # EIO: nobody writes there any more
            return False
        self.said += piece.decode("utf-8", "replace")
        return bool(piece)

    def __enter__(self) -> AtTerminal:  # noqa: PYI034 - same
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._terminal)
        os.close(self._program)
