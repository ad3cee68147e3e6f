"""One function patched, one function restored.

A plain function of the SDK's own is transplanted (see `transplant`). What is not plain (static, a class method, inherited, a generator, decorated) is
wrapped where it stands, which another instrumentation may shadow.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import wrapt

from tokentrail.instrumentation.calls import wrapper_of
from tokentrail.instrumentation.transplant import Live, Transplant, behind_it, can_be_transplanted, plain_function
from tokentrail.providers import Hook
from tokentrail.recording.runtime import internal_error

__all__ = ["is_on", "owner_of", "put_on", "take_off"]

Place = tuple[str, str]

_armed: set[Place] = set()
_awaited: set[Place] = set()
_patched: dict[Place, Patch] = {}
_buried: dict[Place, Patch] = {}
"""Switched off, but still there: another instrumentation has wrapped our wrapper."""
_former: dict[Place, list[Patch]] = {}
"""Of modules that have been imported anew since: their clients may live on, and their calls count."""


class Patch:
    """A patched function: where it lives, what was there before, and whether our wrapper does anything."""

    __slots__ = ("applied", "is_of_the_sdk", "live", "name", "original", "own", "owner", "transplant", "wrapper")

    def __init__(self, hook: Hook, module: ModuleType) -> None:
        self.owner, self.name = owner_of(hook, module)
        self.own = self.name in vars(self.owner)  # else inherited: restoring means deleting
        self.original = vars(self.owner).get(self.name, getattr(self.owner, self.name))
        self.live = Live([True])  # emptied, our wrapper lets everything pass
        self.applied = False
        self.transplant: Transplant | None = None
        self.is_of_the_sdk = False  # else another tool's function, which may be taken off with our wrapper
        self.wrapper: Any = None
        function = plain_function(self.owner, self.name, module)
        if function is not None and can_be_transplanted(function, is_async=hook.is_async):
            self.is_of_the_sdk = function.__globals__ is vars(module)
            self.transplant = Transplant(function, wrapper_of(hook), self.live, of_class=isinstance(self.owner, type), is_async=hook.is_async)
        else:
            self.wrapper = wrapt.FunctionWrapper(self.original, wrapper_of(hook), enabled=cast("bool", self.live))

    def apply(self) -> None:
        """Put the wrapper there, if it is not there by now."""
        if self.transplant is not None:
            self.transplant.apply()
        elif not self.applied and not self.is_there():
            setattr(self.owner, self.name, self.wrapper)
        self.applied = True

    def is_there(self) -> bool:
        """Whether our wrapper is called when the function is, under whatever others have put over it."""
        if self.transplant is None:
            return self.leads_to(self.wrapper)
        return self.transplant.is_in_force() and (self.is_of_the_sdk or self.leads_to(self.transplant.function))

    def leads_to(self, function: Any) -> bool:
        """Whether what is in the place now is the function, or may call it."""
        return any(behind is function for behind in behind_it(vars(self.owner).get(self.name)))

    def is_of(self, hook: Hook, module: ModuleType) -> bool:
        """Whether this is the module's class as it is now, and not that of a module that has been imported anew since."""
        return owner_of(hook, module)[0] is self.owner

    def restore(self) -> bool:
        """Put back what was there. If somebody has patched over it meanwhile, his patch stays, ours is switched off, and this is False."""
        self.live.clear()
        if self.transplant is not None:
            return self.transplant.restore()
        if vars(self.owner).get(self.name) is not self.wrapper:
            return False
        if self.own:
            setattr(self.owner, self.name, self.original)
        else:
            delattr(self.owner, self.name)
        return True


def owner_of(hook: Hook, module: ModuleType) -> tuple[Any, str]:
    """Find the class or module in which the function lives, and the function's own name."""
    owner: Any = module
    *path, name = hook.name.split(".")
    for step in path:
        owner = getattr(owner, step)
    return owner, name


def put_on(hook: Hook) -> None:
    """Patch the function, now if its module is imported, else as soon as it is. Doing it again completes what a fork has cut short."""
    place = (hook.module, hook.name)
    _armed.add(place)
    if hook.module in sys.modules:
        _patch(hook, import_module(hook.module))  # waits for a thread that is still importing it
    elif place not in _awaited:
        wrapt.register_post_import_hook(lambda imported: _imported(hook, imported), hook.module)
        _awaited.add(place)  # after it: twice does nothing, never would be a hook lost


def _imported(hook: Hook, module: ModuleType) -> None:
    _awaited.discard((hook.module, hook.name))  # wrapt tells once: of a module that is imported anew, `put_on` asks again
    _patch(hook, module)


def take_off(hook: Hook) -> None:
    """Restore the function, or never patch it if its module is not imported yet."""
    place = (hook.module, hook.name)
    _armed.discard(place)
    patch = _patched.pop(place, None)
    if patch is not None and not patch.restore():
        _buried[place] = patch
    for former in _former.pop(place, ()):
        former.restore()


def is_on(hook: Hook) -> bool:
    """Whether the function is patched now, and the wrapper is still reached through it."""
    patch = _patched.get((hook.module, hook.name))
    module = sys.modules.get(hook.module)
    return patch is not None and module is not None and patch.is_of(hook, module) and patch.is_there()


def _patch(hook: Hook, module: ModuleType) -> None:
    place = (hook.module, hook.name)
    try:
        if place not in _armed:
            return
        patch = _patched.get(place)
        if patch is not None and not patch.is_of(hook, module):
            _former.setdefault(place, []).append(patch)
            patch = None
        elif patch is not None and not patch.is_there():  # never applied, or taken off with another tool's function
            patch.restore()
            patch = None
        if patch is None:
            patch = _buried.pop(place, None)
            if patch is not None and patch.is_of(hook, module) and patch.is_there():
                patch.live.append(True)
            else:
                patch = Patch(hook, module)
            _patched[place] = patch  # before it is applied: a child forked in between finds and completes it
        patch.apply()
    except Exception as error:  # an SDK that looks different from all versions known: said once, and the application goes on
        internal_error(f"patching {hook.module}:{hook.name}", error)


def renew_import_lock() -> None:
    """Renew the lock of wrapt's import hooks in a forked child: held by a thread of the parent, it would let no import of the child come back."""
    importer = vars(sys.modules["wrapt.importer"])
    if "_post_import_hooks_lock" in importer:  # wrapt has no hook for forks
        importer["_post_import_hooks_lock"] = threading.RLock()
