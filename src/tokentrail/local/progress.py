"""Progress of work that takes minutes: a line for each step, and a way for the waiting program to give up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["GivenUp", "Progress"]

FIRST_REMINDER_S = 60.0


class GivenUp(Exception):  # noqa: N818 - not an error: the waiting program has asked to stop
    """The program that waited for the work has given up."""


class Progress:
    """Prints one line at the beginning of each step, with `say`, such as `print`.

    With `reminders` the line of a long step is printed again after one, two, four, … minutes; a live display needs no reminders.
    `clock` returns seconds.
    """

    def __init__(self, say: Callable[[str], None], *, reminders: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._reminders = reminders
        self._given_up = threading.Event()
        self._step = ""
        self._began = 0.0
        self._next_reminder_s = FIRST_REMINDER_S

    def __call__(self, step: str) -> None:
        """Prints the step that begins."""
        self._step, self._began, self._next_reminder_s = step, self._clock(), FIRST_REMINDER_S
        self._say(step)

    def pause(self, seconds: float) -> None:
        """Waits while the step runs. Raises GivenUp as soon as any thread calls `give_up`."""
        if self._given_up.wait(seconds):
            raise GivenUp(self._step)
        passed = self._clock() - self._began
        if self._reminders and passed >= self._next_reminder_s:
            self._next_reminder_s *= 2
            self._say(f"{self._step} still at work after {passed / 60:.0f} min")

    def give_up(self) -> None:
        """Stops the work: its processes are killed, incomplete files are removed."""
        self._given_up.set()
