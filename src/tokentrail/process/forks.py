"""What a fork does to this process: the child begins anew, in the order that `_in_child` says, and no fork cuts an import in two.

Python keeps a lock for each module that is being imported. A child that is forked while another thread imports a module inherits that lock, held by a
thread which the child does not have: the child's own import of the module waits for ever. What tokentrail imports at first use is therefore imported
within `no_fork()`; what an application imports at the top of its modules needs nothing of this.

Only the smallest modules of the standard library are used here, for `import tokentrail` loads this module.
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
"""Seconds that a fork waits at most: a thread that forks within an import of its own may hold what the other thread's import needs."""


class _Guard:
    """The lock that an import holds and a fork takes.

    Each hook is a single call of C: Python swallows what a hook raises, and an interrupt between two steps of a function would leave the lock taken.
    """

    __slots__ = ("_after_logging", "lock")

    def __init__(self) -> None:
        self._after_logging = "logging" in sys.modules
        self.lock = RLock()

    def register(self) -> None:
        """Have every fork from now on wait for the lock."""
        take, give_back = partial(self.lock.acquire, True, LONGEST_WAIT), self.lock.release
        os.register_at_fork(before=take, after_in_parent=give_back, after_in_child=give_back)

    def follow_logging(self) -> None:
        """Register again after `logging`, whose own hook takes its lock before a fork.

        Python calls the hook that was registered last first. A thread that forks must wait for our lock before it holds that of `logging`: what is
        being imported meanwhile asks `logging` for a logger.
        """
        if not self._after_logging:
            with self.lock:
                import logging  # noqa: F401, PLC0415 - as much again as the whole `import tokentrail`
            self._after_logging = True
            self.register()

    def renew(self) -> None:
        """Free the lock in a forked child from a thread that is not there: the fork waited for it in vain."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
        else:
            self.lock._at_fork_reinit()  # type: ignore[attr-defined] # noqa: SLF001 - as the standard library's own modules do


guard = _Guard()
unfinished: Final[list[None]] = []
"""Not empty as long as a forked child has not done all that `_in_child` says; see `resume`."""


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
    unfinished.clear()


def resume() -> None:
    """Finish what a forked child has to do first: an interrupt amid it was swallowed, and the rest left out."""
    if unfinished:
        _in_child()


def _call(module: str, function: str) -> None:
    found = getattr(sys.modules.get(module), function, None)
    if found is not None:
        found()


guard.register()
os.register_at_fork(after_in_child=partial(unfinished.append, None))
os.register_at_fork(after_in_child=_in_child)
