"""Signals that end a program of this package in order: an exception where the program works, a wait where the program only waits.

`threading.Event` serves neither: `set` in a signal handler deadlocks if the signal interrupts `wait` while `wait` holds the event's lock.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Stop", "ended_by_signals", "ending_signals"]

ASK_AGAIN_S = 0.5


def ending_signals() -> list[signal.Signals]:
    """Returns the signals that ask a program to end, without those that the program was started to ignore (`nohup` ignores SIGHUP)."""
    wanted = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    return [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]


class Stop:
    """A request to stop, made by a signal or by another thread; once made, it stays made. Used as a context manager."""

    def __init__(self) -> None:
        self._reads, self._writes = socket.socketpair()
        self._writes.setblocking(False)
        self.asked = False

    def __enter__(self) -> Stop:  # noqa: PYI034 - Self is in the standard library from Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reads.close()
        self._writes.close()

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Asks to stop. A signal handler as it stands."""
        self.asked = True
        with contextlib.suppress(OSError):  # full of earlier requests, or closed
            self._writes.send(b"x")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits at most `seconds`, without a limit for None. Returns whether the stop was asked for."""
        while not self.asked:
            ready, _, _ = select.select([self._reads], [], [], seconds)
            if ready:
                self._reads.recv(1)  # a byte of a signal that is no request is one of many
            if seconds is not None:
                break
        return self.asked

    @contextlib.contextmanager
    def on_signals(self, numbers: Sequence[signal.Signals] | None = None) -> Iterator[None]:
        """Lets signals (by default the ending signals) ask to stop, until the end of the block. Used in the main thread.

        Once the stop was asked for, the signals go on asking, to no effect: the program is on its way to its end, and what follows the block is as
        little interrupted by a second Ctrl-C as the block itself.
        Python runs a handler between two of its own steps, and a signal just before the system call of a wait would be seen after the wait. So the C
        handler ends the wait.
        """
        handlers = _handle(dict.fromkeys(numbers or ending_signals(), self.ask))
        wakes = signal.set_wakeup_fd(self._writes.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakes)
            if not self.asked:
                _handle(handlers)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Makes an ending signal raise in the main thread, as Ctrl-C does: KeyboardInterrupt for SIGINT, SystemExit for the others.

    Further signals do not interrupt the way to the end of the block.
    Python drops an exception that arises in a finalizer, a callback of the garbage collector or some C functions, and runs no handler while a system
    call waits that began just after the signal. So an alarm interrupts such calls, and asks again until the exception is on its way to the end of the
    block.
    """
    raised: list[BaseException] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if _is_on_its_way(raised):
            return  # asked again while the program ends: an exception within the clean-up would leave things behind
        raised.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
        raise raised[-1]

    def ask_again(_number: int, _frame: FrameType | None) -> None:
        if raised and not _is_on_its_way(raised):
            raise raised[-1]

    handlers = _handle({signal.SIGALRM: ask_again} | dict.fromkeys(ending_signals(), end))
    signal.setitimer(signal.ITIMER_REAL, ASK_AGAIN_S, ASK_AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _handle(handlers)


def _is_on_its_way(raised: list[BaseException]) -> bool:
    """Whether the code that runs now handles one of these exceptions, or an exception that arose meanwhile."""
    handled = sys.exc_info()[1]
    while handled is not None and handled not in raised:
        handled = handled.__context__
    return handled is not None


def _handle(handlers: Mapping[signal.Signals, Any]) -> dict[signal.Signals, Any]:
    """Sets handlers of signals and returns those that were set before."""
    return {number: signal.signal(number, handler) for number, handler in handlers.items()}
