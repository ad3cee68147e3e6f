"""The thread that does what finalizers and signal handlers may not do: they run while their own thread may hold any lock, and only touch a queue."""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable

from tokentrail.process import threads

__all__ = ["Deferred"]


class Deferred:
    """Work left for a thread. `on_error` is told what an action raised.

    `running` is the thread's identity (`_thread.get_ident`), 0 if the thread does not run; `left` says that work waits for a thread which nobody has
    started.
    """

    __slots__ = ("_on_error", "_queue", "_unstarted", "left", "running")

    def __init__(self, on_error: Callable[[str, BaseException], None]) -> None:
        self._on_error = on_error
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a forked child: threads do not come along, and what was queued is the parent's."""
        self._queue: threads.SimpleQueue[Callable[[], object]] = threads.SimpleQueue()
        self._unstarted: deque[None] = deque([None])  # the caller that takes the item starts the thread
        self.running = 0
        self.left = False

    def do_later(self, action: Callable[[], object]) -> None:
        """Have the thread do it."""
        self._queue.put(action)
        if not self.running:
            self.left = True

    def start(self) -> None:
        """Start the thread, unless it runs. Not for finalizers, which is why what they leave may wait for the next call."""
        try:
            self._unstarted.pop()
        except IndexError:
            return
        try:
            self.running = threads.start(self._do_queued, self._queue)
        finally:  # an interrupt too: the next call tries again
            if self.running:
                self.left = False
            else:
                self._unstarted.append(None)

    def _do_queued(self, queue: threads.SimpleQueue[Callable[[], object]]) -> None:
        while (action := threads.get(queue)) is not None:
            try:
                action()
            except Exception as failure:
                self._on_error("deferred", failure)
            del action  # it may hold an answer

    def drain(self, timeout: float) -> bool:
        """Wait until the queued work is done, or the time (seconds) is up. The thread itself does not wait: it would wait for itself."""
        if not self.running and self._queue.empty():
            return True
        if self.running == _thread.get_ident():
            return False
        self.start()
        done: list[None] = []
        self._queue.put(lambda: done.append(None))
        return threads.wait_until(lambda: bool(done), timeout)
