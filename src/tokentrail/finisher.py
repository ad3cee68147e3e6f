"""The thread that does what finalizers and signal handlers may not: they run while their own thread may hold any lock, and only touch a queue."""

from __future__ import annotations

import _thread
import os
from collections import deque
from collections.abc import Callable

from tokentrail import threads
from tokentrail.ledger import internal_error

__all__ = ["do_later", "drain", "start"]

_later: threads.SimpleQueue[Callable[[], object]] = threads.SimpleQueue()
_unstarted: deque[None] = deque([None])  # the caller that takes the item starts the thread
running = 0
"""The thread's identity (`_thread.get_ident`); 0: it does not run."""
left = False
"""Whether something was left for a thread that nobody has started."""


def do_later(action: Callable[[], object]) -> None:
    """Have the thread do it."""
    global left  # noqa: PLW0603 - one process has one finisher
    _later.put(action)
    if not running:
        left = True


def start() -> None:
    """Start the thread, unless it runs. Not for finalizers, which is why what they leave may wait for the next call."""
    global running, left  # noqa: PLW0603
    try:
        _unstarted.pop()
    except IndexError:
        return
    running = threads.start(_do_queued, _later)
    if running:
        left = False
    else:
        _unstarted.append(None)


def _do_queued(queue: threads.SimpleQueue[Callable[[], object]]) -> None:
    while (action := threads.get(queue)) is not None:
        try:
            action()
        except Exception as failure:
            internal_error("finisher", failure)
        del action  # it may hold an answer


def drain(timeout: float) -> bool:
    """Wait until what finalizers left is done, or the time (seconds) is up. The thread itself does not wait: it would wait for itself."""
    if not running and _later.empty():
        return True
    if running == _thread.get_ident():
        return False
    start()
    done: list[None] = []
    _later.put(lambda: done.append(None))
    return threads.wait_until(lambda: bool(done), timeout)


def _after_fork_in_child() -> None:
    """Threads do not come along; what was queued is the parent's."""
    global _later, _unstarted, running, left  # noqa: PLW0603
    _later = threads.SimpleQueue()
    _unstarted = deque([None])
    running = 0
    left = False


os.register_at_fork(after_in_child=_after_fork_in_child)
