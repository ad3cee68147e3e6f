"""The thread for deferred work: finalizers and signal handlers run while their own thread may hold any lock, so they only add to a queue."""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable

from tokentrail.process import threads

__all__ = ["Deferred"]


class Deferred:
    """Deferred work. `on_error` gets the exceptions of the actions.

    `running` is the thread's identity (`_thread.get_ident`), 0 if the thread does not run; `needs_thread`: work waits, and no thread was started.
    """

    __slots__ = ("_on_error", "_queue", "_unstarted", "needs_thread", "running")

    def __init__(self, on_error: Callable[[str, BaseException], None]) -> None:
        self._on_error = on_error
        self.forget()

    def forget(self) -> None:
        """Resets queue and thread in a forked child: the child has no thread, and queued work is the parent's."""
        self._queue: threads.SimpleQueue[Callable[[], object]] = threads.SimpleQueue()
        self._unstarted: deque[None] = deque([None])  # the caller that takes the item starts the thread
        self.running = 0
        self.needs_thread = False

    def do_later(self, action: Callable[[], object]) -> None:
        """Adds an action to the thread's queue."""
        self._queue.put(action)
        if not self.running:
            self.needs_thread = True

    def start(self) -> None:
        """Starts the thread, unless the thread runs. Finalizers must not start threads, so their work may wait for the next call."""
        try:
            self._unstarted.pop()
        except IndexError:
            return
        try:
            self.running = threads.start(self._do_queued, self._queue)
        finally:  # also after an interrupt: the next call tries again
            if self.running:
                self.needs_thread = False
            else:
                self._unstarted.append(None)

    def _do_queued(self, queue: threads.SimpleQueue[Callable[[], object]]) -> None:
        while (action := threads.get(queue)) is not None:
            try:
                action()
            except Exception as failure:
                self._on_error("deferred", failure)
            del action  # the action may refer to an answer

    def drain(self, timeout: float) -> bool:
        """Waits until the queued work is done, at most `timeout` seconds. True if all is done. The deferred thread itself gets False at once."""
        if not self.running and self._queue.empty():
            return True
        if self.running == _thread.get_ident():
            return False
        self.start()
        done: list[None] = []
        self._queue.put(lambda: done.append(None))
        return threads.wait_until(lambda: bool(done), timeout)
