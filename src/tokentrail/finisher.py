"""The thread that does what finalizers and signal handlers may not: they run while their own thread may hold any lock, and only touch a queue."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from tokentrail.ledger import internal_error

__all__ = ["do_later", "drain", "start"]

_later: SimpleQueue[Callable[[], object]] = SimpleQueue()
_lock = threading.Lock()
running: threading.Thread | None = None
left = False
"""Whether something was left for a thread that nobody has started."""


def do_later(action: Callable[[], object]) -> None:
    """Have the thread do it."""
    global left  # noqa: PLW0603 - one process has one finisher
    _later.put(action)
    if running is None:
        left = True


def start() -> None:
    """Start the thread, unless it runs. Not for finalizers, which is why what they leave may wait for the next call."""
    global running, left  # noqa: PLW0603
    if running is not None:
        return
    with _lock:
        if running is None:
            running = threading.Thread(target=_do_queued, args=(_later,), name="tokentrail-finisher", daemon=True)
            running.start()
            left = False


def _do_queued(queue: SimpleQueue[Callable[[], object]]) -> None:
    while True:
        try:
            queue.get()()
        except Exception as failure:
            internal_error("finisher", failure)


def drain(timeout: float) -> bool:
    """Wait until what finalizers left is done, or the time (seconds) is up. The thread itself does not wait: it would wait for itself."""
    if running is None and _later.empty():
        return True
    if running is threading.current_thread():
        return False
    start()
    done = threading.Event()
    _later.put(done.set)
    return done.wait(timeout)


def _after_fork_in_child() -> None:
    """Threads do not come along; what was queued is the parent's."""
    global _later, _lock, running, left  # noqa: PLW0603
    _later = SimpleQueue()
    _lock = threading.Lock()
    running = None
    left = False


os.register_at_fork(after_in_child=_after_fork_in_child)
