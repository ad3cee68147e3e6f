"""Forks: a forked child resets its state in the order of `_in_child`, and no fork interrupts an import.

Python keeps a lock for each module that is being imported. A child that is forked while another thread imports a module inherits that lock, held by a
thread which the child does not have: the child's own import of the module waits for ever. Modules that tokentrail imports at first use are therefore
imported within `no_fork()`; imports at the top of an application's modules are not at risk.

Only the smallest modules of the standard library are used here, because `import tokentrail` loads this module.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

__all__ = ["guard", "no_fork", "resume", "unfinished"]

LONGEST_WAIT: Final = 10.0
"""Seconds that a fork waits at most: a thread that forks during its own import may hold a lock that the other thread's import needs."""


class _Guard:
    """The lock that an import holds and a fork acquires.

    Each hook is a single C call: Python ignores exceptions of a hook, and an interrupt between two steps of a function would leave the lock acquired.
    """

    __slots__ = ("_after_logging", "lock")

    def __init__(self) -> None:
        self._after_logging = "logging" in sys.modules
        self.lock = RLock()

    def register(self) -> None:
        """Registers hooks, so that every later fork waits for the lock."""
        take, give_back = partial(self.lock.acquire, True, LONGEST_WAIT), self.lock.release
        os.register_at_fork(before=take, after_in_parent=give_back, after_in_child=give_back)

    def follow_logging(self) -> None:
        """Registers the hooks again after `logging`, whose own hook acquires the lock of `logging` before a fork.

        Python runs the hook that was registered last first. A forking thread must wait for the guard's lock before it holds the lock of `logging`,
        because the module that is being imported meanwhile requests a logger from `logging`.
        """
        if not self._after_logging:
            with self.lock:
                import logging  # noqa: F401, PLC0415 - takes as long as the whole `import tokentrail`
            self._after_logging = True
            self.register()

    def renew(self) -> None:
        """Resets the lock in a forked child if a thread of the parent held the lock at the fork, after the longest wait."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
        else:
            self.lock._at_fork_reinit()  # type: ignore[attr-defined] # noqa: SLF001 - as the standard library's own modules do


guard = _Guard()
unfinished: Final[list[None]] = []
"""Not empty until a forked child has finished `_in_child`; see `resume`."""


def no_fork() -> AbstractContextManager[object]:
    """Returns a context in which a fork of another thread waits, at most `LONGEST_WAIT` seconds."""
    guard.follow_logging()
    return guard.lock


def _in_child() -> None:
    """Resets every loaded module in a forked child: the child has no other threads, and waiting usages are delivered by the parent."""
    guard.renew()
    _call("tokentrail.process.mutexes", "renew_all")  # a thread of the parent may have held any mutex
    _call("tokentrail.process.threads", "forget_parent")
    _call("tokentrail.journal.locks", "close_inherited")  # the parent's files: closed, never unlocked
    _call("tokentrail.journal.deadline", "renew_pools")  # of HTTP connections
    _call("tokentrail.recording.runtime", "forget_parent")  # writer, shipper, estimator, deferred work, streams, sums, errors, secret
    _call("tokentrail.budgets.guard", "forget_parent")  # its thread; what is known of budgets stays
    _call("tokentrail.instrumentation.patching", "renew_import_lock")  # wrapt's
    _call("tokentrail.testing.usages", "renew_locks")
    unfinished.clear()


def resume() -> None:
    """Repeats `_in_child` if an interrupt stopped the first run: Python ignores exceptions of fork hooks."""
    if unfinished:
        _in_child()


def _call(module: str, function: str) -> None:
    found = getattr(sys.modules.get(module), function, None)
    if found is not None:
        found()


guard.register()
os.register_at_fork(after_in_child=partial(unfinished.append, None))
os.register_at_fork(after_in_child=_in_child)
