"""Locks that are renewed in a forked child: a thread of the parent may hold a lock at the fork, and is not there in the child to release the lock."""

from __future__ import annotations

import weakref
from _thread import RLock

__all__ = ["Mutex", "renew_all"]


class Mutex:
    """A reentrant lock, used as `with mutex.lock:`. Reentrant because signal handlers and finalizers run in a thread that may hold the lock."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = RLock()
        _all.add(self)


_all: weakref.WeakSet[Mutex] = weakref.WeakSet()


def renew_all() -> None:
    """Gives every mutex a new, free lock in a forked child."""
    for mutex in tuple(_all):
        mutex.lock = RLock()
