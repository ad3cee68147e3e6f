"""The screen of `tokentrail top`: drawn anew after each answer, with keys that change the view."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tokentrail.cli.keys import Keys
from tokentrail.cli.live import Connection
from tokentrail.cli.spending import Look, View, look, screen_lines
from tokentrail.cli.stdout import terminal_width, write_text

__all__ = ["Screen"]

HEAD: Final = 5
"""Lines above the rows: title, totals, heading, rule."""
FOOT: Final = 3
"""Lines below the table: the state, and the keys."""
_KEYS: Final = "b dimension   w window   s order   space pause   q end"
_TICK: Final = 0.1
_CTRL_D: Final = "\x04"


class Screen:
    """The screen: a question is asked in a thread of its own, so that keys are answered while a server is slow."""

    def __init__(self, connection: Connection, view: View, rows: int | None, interval: float, times: int | None) -> None:
        self._ledger, self._view, self._rows, self._interval, self._times = connection, view, rows, interval, times
        self._look: Look | None = None
        self._failed: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._looks = 0
        self._paused = False
        self._suspended = False
        self._due = 0.0
        self._drawn: object = None
        self._live = Live(
            console=Console(file=sys.stdout, highlight=False, markup=False, emoji=False),
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def run(self) -> None:
        """Shows the screen until q, Ctrl-C, or the last look."""
        before = signal.signal(signal.SIGTSTP, self._suspend)
        try:
            with Keys().taken() as keys, self._live:
                self._loop(keys)
        finally:
            signal.signal(signal.SIGTSTP, before)
            if self._thread is not None and self._ledger.in_process:
                self._thread.join()
        if self._look is not None:
            write_text("\n".join([*self._text(shutil.get_terminal_size().lines)[:-2], ""]))

    def _suspend(self, _number: int, _frame: Any) -> None:
        self._suspended = True

    def _loop(self, keys: Keys) -> None:
        while self._looks != self._times:
            if self._suspended:
                self._sleep(keys)
            self._look_again()
            self._draw()
            key = keys.pressed(_TICK)
            if key in ("q", "Q", _CTRL_D):
                return
            if key == " ":
                self._paused = not self._paused
            elif key and self._view.press(key):
                self._due = 0.0

    def _look_again(self) -> None:
        """Takes an answer that has come, and asks again when the time has come."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._looks += 1
            self._due = time.monotonic() + self._ledger.pause(self._interval)
            if self._failed is not None:
                raise self._failed
        if self._thread is None and not self._paused and time.monotonic() >= self._due:
            self._thread = threading.Thread(target=self._fetch, args=(replace(self._view),), name="tokentrail-top", daemon=True)
            self._thread.start()

    def _draw(self) -> None:
        """Draws the screen if anything has changed."""
        size = shutil.get_terminal_size()
        now = (size, self._looks, self._paused, self._ledger.problem and int(time.monotonic()))
        if now != self._drawn:
            self._drawn = now
            self._live.update(Text("\n".join(self._text(size.lines)), no_wrap=True, overflow="crop"), refresh=True)

    def _fetch(self, view: View) -> None:
        try:
            self._look = self._ledger.ask(lambda client: look(client, view)) or self._look
        except BaseException as error:
            self._failed = error

    def _text(self, height: int) -> list[str]:
        """Returns the lines of the screen."""
        lines = [f"tokentrail top   {self._ledger.address}"] if self._look is None else self._fitting(self._look, height - FOOT)
        state = "paused   " if self._paused else ""
        if self._ledger.problem:
            state += f"no answer for {time.monotonic() - self._ledger.since:.0f} s: {self._ledger.problem}   "
        return [*lines, "", state + _KEYS]

    def _fitting(self, seen: Look, height: int) -> list[str]:
        """Returns as many rows as fit; the others are in the line of the rest."""
        rows = self._rows or max(1, height - HEAD)
        while True:
            lines = screen_lines(seen, self._view, width=terminal_width(), rows=rows, address=self._ledger.address)
            if len(lines) <= height or rows == 1:
                return lines[:height]
            rows -= 1

    def _sleep(self, keys: Keys) -> None:
        """Gives the terminal back until the shell continues this process."""
        self._suspended = False
        self._drawn = None
        self._live.stop()
        keys.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        keys.take()
        self._live.start()
