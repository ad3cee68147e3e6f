"""How far a work of minutes is: a line for each step, and a way for the program that waits to give the work up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["GivenUp", "Progress"]

FIRST_REMINDER_S = 60.0


class GivenUp(Exception):  # noqa: N818 - reads as the sentence that it is
    """The program that waited for a work does not want it any more."""


class Progress:
    """Takes one line for a person to read at each step; `say` may be `print`.

    With `reminders` a step that takes long is named again after one, two, four, … minutes; a display that is alive by itself needs none.
    """

    def __init__(self, say: Callable[[str], None], *, reminders: bool = True) -> None:
        self._say = say
        self._reminders = reminders
        self._given_up = threading.Event()
        self._step = ""
        self._began = 0.0
        self._next_reminder_s = FIRST_REMINDER_S

    def __call__(self, step: str) -> None:
        """Name the step that begins."""
        self._step, self._began, self._next_reminder_s = step, time.monotonic(), FIRST_REMINDER_S
        self._say(step)

    def pause(self, seconds: float) -> None:
        """Wait as long while the step goes on; raises GivenUp as soon as the work is given up, from whatever thread."""
        if self._given_up.wait(seconds):
            raise GivenUp(self._step)
        passed = time.monotonic() - self._began
        if self._reminders and passed >= self._next_reminder_s:
            self._next_reminder_s *= 2
            self._say(f"{self._step} still at work after {passed / 60:.0f} min")

    def give_up(self) -> None:
        """Stop the work: what it has started is killed, what it has half made is removed."""
        self._given_up.set()
