"""What a fork does to this process: the child begins anew, in the order that `_in_child` says, and no fork cuts an import in two.

Python keeps a lock for each module that is being imported. A child that is forked while another thread imports a module inherits that lock, held by a
thread which the child does not have: the child's own import of the module waits for ever. What tokentrail imports at first use is therefore imported
within `no_fork()`; what an application imports at the top of its modules needs nothing of this.

Only the smallest modules of the standard library are used here, for `import tokentrail` loads this module.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident
from contextlib import AbstractContextManager
from typing import Final

__all__ = ["no_fork"]

LONGEST_WAIT: Final = 10.0
"""Seconds that a fork waits at most: a thread that forks within an import of its own may hold what the other thread's import needs."""


class _Guard:
    """The lock that an import holds and a fork takes."""

    __slots__ = ("_after_logging", "_taken", "lock")

    def __init__(self) -> None:
        self._after_logging = False
        self.renew()

    def renew(self) -> None:
        """Make a lock that nobody holds: in a forked child the inherited one is held by the fork itself."""
        self.lock = RLock()
        self._taken: dict[int, int] = {}  # how often each thread's fork took the lock

    def register(self) -> None:
        """Have every fork from now on wait for the lock."""
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork_in_parent)

    def follow_logging(self) -> None:
        """Register again after `logging`, whose own hook takes its lock before a fork.

        Python calls the hook that was registered last first. A thread that forks must wait for our lock before it holds that of `logging`: what is
        being imported meanwhile asks `logging` for a logger.
        """
        if not self._after_logging:
            import logging  # noqa: F401, PLC0415 - as much again as the whole `import tokentrail`

            self._after_logging = True
            self.register()

    def _before_fork(self) -> None:
        if self.lock.acquire(timeout=LONGEST_WAIT):
            self._taken[get_ident()] = self._taken.get(get_ident(), 0) + 1

    def _after_fork_in_parent(self) -> None:
        if self._taken.get(get_ident()):  # not where the wait was too long, or the hook was registered amid the fork
            self._taken[get_ident()] -= 1
            self.lock.release()


guard = _Guard()


def no_fork() -> AbstractContextManager[object]:
    """A context within which a fork of another thread waits, at most `LONGEST_WAIT` seconds."""
    guard.follow_logging()
    return guard.lock


def _in_child() -> None:
    """Begin anew in a forked child: no thread came along, and what waits is the parent's to deliver. A part that is not loaded has nothing to do."""
    guard.renew()
    _call("tokentrail.process.mutexes", "renew_all")  # a thread of the parent may have held any of them
    _call("tokentrail.process.threads", "forget_parent")
    _call("tokentrail.journal.locks", "close_inherited")  # the parent's files: closed, never unlocked
    _call("tokentrail.journal.deadline", "renew_pools")  # of HTTP connections
    _call("tokentrail.recording.runtime", "forget_parent")  # writer, shipper, estimator, deferred work, streams, sums, errors, secret
    _call("tokentrail.instrumentation.patching", "renew_import_lock")  # wrapt's
    _call("tokentrail.testing.usages", "renew_locks")


def _call(module: str, function: str) -> None:
    found = getattr(sys.modules.get(module), function, None)
    if found is not None:
        found()


guard.register()
os.register_at_fork(after_in_child=_in_child)
