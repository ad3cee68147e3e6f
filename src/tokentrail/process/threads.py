"""Threads of tokentrail: how one starts, waits and ends, also beside gevent and eventlet, and in a child that was forked in a thread.

| where                                                 | what goes wrong                          | what is done                         |
|-------------------------------------------------------|------------------------------------------|--------------------------------------|
| gevent and eventlet: a new thread is a greenlet       | a wait inside C blocks the hub           | a greenlet waits by `time.sleep`     |
| the same                                              | counting a long text blocks the hub      | `start_native`: a real thread        |
| a child that was forked in a thread: no `atexit` runs | the process lives as long as any thread  | `application_has_ended` ends threads |

The locks of tokentrail are `_thread.RLock`, which no library replaces: greenlets and native threads may share them.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from _queue import Empty, SimpleQueue
from _thread import RLock
from collections import deque
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any, Final, TypeVar

__all__ = ["Empty", "RLock", "SimpleQueue", "application_has_ended", "are_greenlets", "at_end", "get", "start", "start_native", "wait_until"]

T = TypeVar("T")

GREENLET_POLL_SECONDS: Final = 0.05
"""Between two looks of a waiting greenlet at its queue: what finalizers left may wait so long."""
END_POLL_SECONDS: Final = 0.2
"""Between two looks of a thread, in a child that was forked in a thread, whether the application's threads have ended."""


class _Process:
    """What this process knows of its own threads."""

    __slots__ = ("at_end", "ended", "forked_in_thread", "forking", "ours", "unclaimed_end")

    def __init__(self) -> None:
        self.at_end: list[Callable[[], object]] = []
        self.forking: set[int] = set()  # threads that are about to fork, and are not the main thread
        self.begin(forked_in_thread=False)

    def begin(self, *, forked_in_thread: bool) -> None:
        """Know of no thread yet."""
        self.forked_in_thread = forked_in_thread
        self.ended = False
        self.unclaimed_end: deque[None] = deque([None])  # the thread that takes the item runs `at_end`
        self.ours: set[int] = set()
        self.forking = set()

    def forget_parent(self) -> None:
        """Begin anew in a forked child; `forking` tells what kind of thread has forked."""
        self.begin(forked_in_thread=self.forked_in_thread or _thread.get_ident() in self.forking)


_process = _Process()


def are_greenlets() -> bool:
    """Whether a thread that is started now is a greenlet: gevent or eventlet has replaced the standard library's function."""
    return not isinstance(_thread.start_new_thread, BuiltinFunctionType)


def start(run: Callable[..., object], *arguments: Any) -> int:
    """Start a thread of the kind that the application uses: its identity. 0 where none can be started: too many, or the interpreter is going down.

    `threading.Thread` is not used: its `start` takes the module's lock and waits, and a finalizer that comes here may hold that lock.
    """
    return _start(_thread.start_new_thread, run, arguments, are_greenlets())


def start_native(run: Callable[..., object], *arguments: Any) -> int:
    """Start a thread of the operating system, also beside gevent. It must not touch the application's locks.

    Beside eventlet it is a greenlet: eventlet exchanges the locks of a process for its own, which only one thread may use (seen with 0.41: a lock
    that a native thread gives back ends in "Cannot switch to a different thread").
    """
    native = _native("start_new_thread")
    return _start(native, run, arguments, not isinstance(native, BuiltinFunctionType))


def _start(starter: Callable[..., int], run: Callable[..., object], arguments: tuple[Any, ...], greenlet: bool) -> int:
    try:
        return starter(run if greenlet else _run, arguments if greenlet else (run, arguments))
    except RuntimeError:
        return 0


def _run(run: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    ours, ident = _process.ours, _native("get_ident")()
    ours.add(ident)
    try:
        run(*arguments)
    finally:
        ours.discard(ident)


def _native(name: str) -> Callable[..., Any]:
    """A function of `_thread` as the interpreter made it, also where gevent has replaced it."""
    function = getattr(_thread, name)
    if not isinstance(function, BuiltinFunctionType) and "gevent.monkey" in sys.modules:
        function = sys.modules["gevent.monkey"].get_original("_thread", name)
    return function  # type: ignore[no-any-return]


def get(queue: SimpleQueue[T]) -> T | None:
    """Wait for the queue's next item without holding up anybody; `None` where the application has ended and the thread is to end too."""
    while True:
        greenlet = are_greenlets() and _native("get_ident")() not in _process.ours
        try:
            if greenlet:
                return queue.get_nowait()
            return queue.get(timeout=END_POLL_SECONDS) if _process.forked_in_thread else queue.get()
        except Empty:
            if application_has_ended():
                return None
            if greenlet:
                time.sleep(GREENLET_POLL_SECONDS)


def wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Wait until `done()`, or the time (seconds) is up, in a way that lets greenlets run; what `done()` said last."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while not done():
        left = deadline - time.monotonic()
        if left <= 0:
            return done()
        time.sleep(min(pause, left))
        pause = min(pause * 2, 0.01)
    return True


def at_end(action: Callable[[], object]) -> None:
    """Call `action` where a process ends without `atexit`: in a child that was forked in a thread, after the application's last thread."""
    _process.at_end.append(action)


def application_has_ended() -> bool:
    """Whether only threads of tokentrail are left in a child that was forked in a thread, and the actions of `at_end` are done.

    Such a child has no main thread whose end would end the process: the last thread does (seen with `sys.exit` in the child, CPython 3.11).
    """
    if _process.ended or not _process.forked_in_thread:
        return _process.ended
    # the one list of threads that knows those which were started without `threading`
    if sys._current_frames().keys() - _process.ours:  # noqa: SLF001
        return False
    try:
        _process.unclaimed_end.pop()
    except IndexError:
        return False  # another thread is at it
    if not start(_end):
        _end()
    return _process.ended


def _end() -> None:
    for action in _process.at_end:
        action()
    _process.ended = True


def _before_fork() -> None:
    if threading.current_thread() is not threading.main_thread():
        _process.forking.add(_thread.get_ident())


def _after_fork_in_parent() -> None:
    _process.forking.discard(_thread.get_ident())


def forget_parent() -> None:
    """Begin anew in a forked child: threads do not come along."""
    _process.forget_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
