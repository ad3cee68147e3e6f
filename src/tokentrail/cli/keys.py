"""Keys pressed at a terminal, one by one and unseen; the terminal is as before afterwards, whatever ends the program."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Keys"]


class Keys:
    """The keyboard of a terminal; without one (standard input is a file or closed) no key is ever pressed."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._before: list[Any] = []

    @contextmanager
    def taken(self) -> Iterator[Keys]:
        """Takes keys one by one for the time of the block. Signals of the keyboard (Ctrl-C, Ctrl-Z) stay signals."""
        if sys.stdin is not None and sys.stdin.isatty():
            self._file = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._file)
        try:
            self.take()
            yield self
        finally:
            self.give_back()

    def take(self) -> None:
        """Takes the keyboard (again)."""
        if self._file is not None:
            tty.setcbreak(self._file, termios.TCSANOW)

    def give_back(self) -> None:
        """Leaves the terminal as it was found."""
        if self._file is not None:
            termios.tcsetattr(self._file, termios.TCSANOW, self._before)

    def pressed(self, seconds: float) -> str:
        """Waits at most `seconds` for a key. Returns the key, or an empty text."""
        if self._file is None:
            time.sleep(seconds)
            return ""
        ready, _, _ = select.select([self._file], [], [], seconds)
        if not ready:
            return ""
        data = os.read(self._file, 64)
        if not data:  # the terminal is gone
            self._file = None
        return data.decode("utf-8", "replace")[:1] if not data.startswith(b"\x1b") else ""
