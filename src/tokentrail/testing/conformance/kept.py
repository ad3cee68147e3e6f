"""What is still in memory after a call: a prompt or an answer that somebody keeps, and garbage of earlier calls."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["keepers_of", "without_collections"]

_CONTAINERS = (tuple, dict, list, set, frozenset)
_AT_ONCE = 5000


def keepers_of(halves: tuple[str, str]) -> Counter[str]:
    """Returns the number of objects of each type that refer to a text with this mark in it; the mark is given in halves, so that it finds no caller.

    Objects that were frozen (`gc.freeze`) are looked at too.
    """
    gc.collect()
    frozen = gc.get_freeze_count() > 0
    if frozen:
        gc.unfreeze()
    try:
        everything = gc.get_objects()
        keepers = []
        for start in range(0, len(everything), _AT_ONCE):
            some = everything[start : start + _AT_ONCE]
            if _is_in("".join(halves), some):
                keepers += [each for each in some if _is_in("".join(halves), [each])]
        ignored = {id(everything), id(keepers)}
        return Counter(_name_of(each) for each in keepers if id(each) not in ignored)
    finally:
        if frozen:
            gc.freeze()


def _is_in(mark: str, things: list[Any]) -> bool:
    """Whether one of these objects refers to such a text, also through containers that the garbage collector does not track."""
    while things:
        behind = gc.get_referents(*things)
        if any((type(each) is str and mark in each) or (type(each) is bytes and mark.encode() in each) for each in behind):
            return True
        things = [each for each in behind if type(each) in _CONTAINERS and not gc.is_tracked(each)]
    return False


def _name_of(thing: Any) -> str:
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"


@contextmanager
def without_collections() -> Iterator[None]:
    """A block without automatic collections: one would end clients of earlier calls at a chance moment, as if this call had done it.

    Their warnings would be part of what the caller sees. Mistral's client closes its connections at its end, and
    cannot where the collection falls into a deep recursion.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
