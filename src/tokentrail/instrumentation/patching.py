"""One function patched, one function restored."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import wrapt

from tokentrail import ledger
from tokentrail.instrumentation.calls import wrapper_of
from tokentrail.providers import Hook

__all__ = ["is_on", "put_on", "take_off"]

Place = tuple[str, str]

_armed: set[Place] = set()
_awaited: set[Place] = set()
_patched: dict[Place, Patch] = {}
_buried: dict[Place, Patch] = {}
"""Switched off, but still there: another instrumentation has wrapped our wrapper."""


class Patch:
    """A patched function: where it lives, what was there before, and whether our wrapper does anything."""

    __slots__ = ("live", "name", "original", "own", "owner", "wrapper")

    def __init__(self, hook: Hook, module: ModuleType) -> None:
        self.owner: Any = module
        *path, self.name = hook.name.split(".")
        for step in path:
            self.owner = getattr(self.owner, step)
        self.own = self.name in vars(self.owner)  # else inherited: restoring means deleting
        self.original = vars(self.owner).get(self.name, getattr(self.owner, self.name))
        self.live = [True]  # wrapt looks at its truth at each call, without a call of its own; emptied, our wrapper lets everything pass
        self.wrapper = wrapt.FunctionWrapper(self.original, wrapper_of(hook), enabled=cast("bool", self.live))
        setattr(self.owner, self.name, self.wrapper)

    def is_there(self) -> bool:
        """Whether our wrapper is called when the function is, under whatever others have put over it."""
        function = vars(self.owner).get(self.name)
        while function is not None and function is not self.wrapper:
            function = getattr(function, "__wrapped__", None)
        return function is not None

    def restore(self) -> bool:
        """Put back what was there. If somebody has patched over it meanwhile, his patch stays, ours is switched off, and this is False."""
        self.live.clear()
        if vars(self.owner).get(self.name) is not self.wrapper:
            return False
        if self.own:
            setattr(self.owner, self.name, self.original)
        else:
            delattr(self.owner, self.name)
        return True


def put_on(hook: Hook) -> None:
    """Patch the function, now if its module is imported, else as soon as it is."""
    place = (hook.module, hook.name)
    _armed.add(place)
    if hook.module in sys.modules:
        _patch(hook, import_module(hook.module))  # waits for a thread that is still importing it
    elif place not in _awaited:
        _awaited.add(place)
        wrapt.register_post_import_hook(lambda imported: _patch(hook, imported), hook.module)


def take_off(hook: Hook) -> None:
    """Restore the function, or never patch it if its module is not imported yet."""
    place = (hook.module, hook.name)
    _armed.discard(place)
    patch = _patched.pop(place, None)
    if patch is not None and not patch.restore():
        _buried[place] = patch


def is_on(hook: Hook) -> bool:
    """Whether the function is patched now."""
    return (hook.module, hook.name) in _patched


def _patch(hook: Hook, module: ModuleType) -> None:
    place = (hook.module, hook.name)
    try:
        if place not in _armed or place in _patched:
            return
        patch = _buried.pop(place, None)
        if patch is not None and patch.is_there():
            patch.live.append(True)
        else:
            patch = Patch(hook, module)
        _patched[place] = patch
    except Exception as error:  # an SDK that looks different from all versions known: said once, and the application goes on
        ledger.internal_error(f"patching {hook.module}:{hook.name}", error)
