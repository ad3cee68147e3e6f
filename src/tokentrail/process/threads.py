"""Threads of tokentrail: start, wait and end, also beside gevent and eventlet, and in a child that was forked in a thread.

| where                                                 | problem                                  | solution                             |
|-------------------------------------------------------|------------------------------------------|--------------------------------------|
| gevent and eventlet: a new thread is a greenlet       | a wait inside C blocks the hub           | a greenlet waits by `time.sleep`     |
| gevent and eventlet                                   | counting a long text blocks the hub      | `start_native`: a real thread        |
| a child that was forked in a thread: no `atexit` runs | the process lives as long as any thread  | `application_has_ended` ends threads |

The locks of tokentrail are `_thread.RLock`, which no library replaces: greenlets and native threads may share such a lock.
"""

from __future__ import annotations

import _thread
import math
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
"""Between two polls of a queue by a waiting greenlet: work of finalizers may wait that long."""
END_POLL_SECONDS: Final = 0.2
"""Between two checks whether the application's threads have ended, in a child that was forked in a thread."""


class _Process:
    """The state of tokentrail's threads in this process."""

    __slots__ = ("at_end", "ended", "forked_in_thread", "forking", "own_idents", "unclaimed_end")

    def __init__(self) -> None:
        self.at_end: list[Callable[[], object]] = []
        self.forking: set[int] = set()  # threads that are about to fork, and are not the main thread
        self.begin(forked_in_thread=False)

    def begin(self, *, forked_in_thread: bool) -> None:
        """Resets the state: no thread runs."""
        self.forked_in_thread = forked_in_thread
        self.ended = False
        self.unclaimed_end: deque[None] = deque([None])  # the thread that takes the item runs `at_end`
        self.own_idents: set[int] = set()
        self.forking = set()

    def forget_parent(self) -> None:
        """Resets the state in a forked child; `forking` shows whether the main thread has forked."""
        self.begin(forked_in_thread=self.forked_in_thread or _thread.get_ident() in self.forking)


_process = _Process()


def are_greenlets() -> bool:
    """Whether a thread that is started now is a greenlet, because gevent or eventlet has replaced the standard library's function."""
    return not isinstance(_thread.start_new_thread, BuiltinFunctionType)


def start(run: Callable[..., object], *arguments: Any) -> int:
    """Starts a thread of the application's kind and returns its identity; 0 if no thread can be started: too many, or the interpreter shuts down.

    `threading.Thread` is not used: `Thread.start` acquires the module's lock and waits, and a finalizer may run this function while its thread holds
    that lock.
    """
    return _start(_thread.start_new_thread, run, arguments, are_greenlets())


def start_native(run: Callable[..., object], *arguments: Any) -> int:
    """Starts a thread of the operating system, also beside gevent. The thread must not touch the application's locks.

    Beside eventlet the thread is a greenlet: eventlet replaces the locks of a process by its own, which only one thread may use (seen with 0.41: the
    release of a lock by a native thread raises "Cannot switch to a different thread").
    """
    native = _native("start_new_thread")
    return _start(native, run, arguments, not isinstance(native, BuiltinFunctionType))


def _start(starter: Callable[..., int], run: Callable[..., object], arguments: tuple[Any, ...], greenlet: bool) -> int:
    try:
        return starter(run if greenlet else _run, arguments if greenlet else (run, arguments))
    except RuntimeError:
        return 0


def _run(run: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    own_idents, ident = _process.own_idents, _native("get_ident")()
    own_idents.add(ident)
    try:
        run(*arguments)
    finally:
        own_idents.discard(ident)


def _native(name: str) -> Callable[..., Any]:
    """Returns the interpreter's own function of `_thread`, also where gevent has replaced the function."""
    function = getattr(_thread, name)
    if not isinstance(function, BuiltinFunctionType) and "gevent.monkey" in sys.modules:
        function = sys.modules["gevent.monkey"].get_original("_thread", name)
    return function  # type: ignore[no-any-return]


def get(queue: SimpleQueue[T], timeout: float = math.inf) -> T | None:
    """Waits for the queue's next item without blocking greenlets, at most `timeout` seconds.

    `None` after that time, and if the application has ended, so that the thread must end too.
    """
    deadline = time.monotonic() + timeout
    while True:
        greenlet = are_greenlets() and _native("get_ident")() not in _process.own_idents
        left = max(0.0, deadline - time.monotonic())
        try:
            if greenlet:
                return queue.get_nowait()
            longest = min(left, END_POLL_SECONDS) if _process.forked_in_thread else left
            return queue.get() if longest == math.inf else queue.get(timeout=longest)
        except Empty:
            if application_has_ended() or not left:
                return None
            if greenlet:
                time.sleep(min(GREENLET_POLL_SECONDS, left))


def wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Waits until `done()` is true, at most `timeout` seconds, and lets greenlets run; returns the last result of `done()`."""
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
    """Registers an action for a process that ends without `atexit`: a child that was forked in a thread, after the application's last thread."""
    _process.at_end.append(action)


def application_has_ended() -> bool:
    """Whether a child that was forked in a thread has only threads of tokentrail left, and the actions of `at_end` are done.

    Such a child has no main thread whose end would end the process: the process ends with its last thread (seen with `sys.exit` in the child,
    CPython 3.11).
    """
    if _process.ended or not _process.forked_in_thread:
        return _process.ended
    # the only list of threads that includes threads started without `threading`
    if sys._current_frames().keys() - _process.own_idents:  # noqa: SLF001
        return False
    try:
        _process.unclaimed_end.pop()
    except IndexError:
        return False  # another thread runs the actions
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
    """Resets the state of the threads in a forked child, which has none of them."""
    _process.forget_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
