"""Locks that a forked child has anew: a thread of the parent may hold one at the fork, and that thread is not there to release it."""

from __future__ import annotations

import weakref
from _thread import RLock

__all__ = ["Mutex", "renew_all"]


class Mutex:
    """A lock, used as `with mutex.lock:`. It may be taken again by its own thread: a signal handler or a finalizer runs amid that thread's steps."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = RLock()
        _all.add(self)


_all: weakref.WeakSet[Mutex] = weakref.WeakSet()


def renew_all() -> None:
    """Give every mutex a lock that nobody holds, in a forked child."""
    for mutex in tuple(_all):
        mutex.lock = RLock()
