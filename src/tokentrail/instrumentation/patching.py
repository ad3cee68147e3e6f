"""Patches and restores one function.

A plain function of the SDK is transplanted (see `transplant`). Any other function (static, a class method, inherited, a generator but for
those that a hook names, decorated) is replaced by a wrapper on its owner, which another instrumentation may shadow.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import wrapt

from tokentrail.instrumentation.around import wrapper_of
from tokentrail.instrumentation.contract import Hook, Integration
from tokentrail.instrumentation.transplant import Live, Transplant, can_be_transplanted, plain_function, reachable_from
from tokentrail.instrumentation.versions import warn_if_outside
from tokentrail.instrumentation.wrappers import Wrapper
from tokentrail.recording.runtime import internal_error

__all__ = ["apply", "is_on", "is_patched", "is_there", "owner_of", "remove"]

Place = tuple[str, str]

_armed: set[Place] = set()
_awaited: set[Place] = set()
_patched: dict[Place, Patch] = {}
_disabled: dict[Place, Patch] = {}
"""Patches that are switched off but still in place, because another instrumentation has wrapped the wrapper."""
_of_former_modules: dict[Place, list[Patch]] = {}
"""Patches of modules that were imported again since: clients of the former module may live on, and their calls are counted."""


class Patch:
    """A patched function: its owner, the original, and whether the wrapper is enabled."""

    __slots__ = ("applied", "is_of_the_sdk", "live", "name", "original", "own", "owner", "transplant", "wrapper")

    def __init__(self, hook: Hook, module: ModuleType) -> None:
        self.owner, self.name = owner_of(hook, module)
        self.own = self.name in vars(self.owner)  # an inherited function is restored by deleting the attribute
        self.original = vars(self.owner).get(self.name, getattr(self.owner, self.name))
        self.live = Live([True])  # empty: the wrapper only calls the original
        self.applied = False
        self.transplant: Transplant | None = None
        self.is_of_the_sdk = False  # another tool's function may be removed, and the wrapper with that function
        self.wrapper: Any = None
        function = plain_function(self.owner, self.name, module)
        if function is not None and can_be_transplanted(function, is_async=hook.is_async, is_generator=hook.is_generator):
            self.is_of_the_sdk = function.__globals__ is vars(module)
            self.transplant = Transplant(function, wrapper_of(hook), self.live, of_class=isinstance(self.owner, type))
        else:
            self.wrapper = Wrapper(self.original, wrapper_of(hook), enabled=cast("bool", self.live))

    def apply(self) -> None:
        """Installs the wrapper, unless the wrapper is installed already."""
        if self.transplant is not None:
            self.transplant.apply()
        elif not self.applied and not self.is_reached():
            setattr(self.owner, self.name, self.wrapper)
        self.applied = True

    def is_reached(self) -> bool:
        """Whether a call of the function reaches the wrapper, also below wrappers of other tools."""
        if self.transplant is None:
            return self.leads_to(self.wrapper)
        return self.transplant.is_applied() and (self.is_of_the_sdk or self.leads_to(self.transplant.function))

    def leads_to(self, function: Any) -> bool:
        """Whether the owner's attribute is now this function, or may call this function."""
        return any(behind is function for behind in reachable_from(vars(self.owner).get(self.name)))

    def is_of(self, hook: Hook, module: ModuleType) -> bool:
        """Whether the patch belongs to the module's present class; False for the class of a module that was imported again since."""
        return owner_of(hook, module)[0] is self.owner

    def restore(self) -> bool:
        """Restores the original. Under a later patch of another tool the wrapper stays, disabled, and the result is False."""
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
    """Returns the class or module that holds the function, and the function's own name."""
    owner: Any = module
    *path, name = hook.name.split(".")
    for step in path:
        owner = getattr(owner, step)
    return owner, name


def is_there(hook: Hook, module: ModuleType) -> bool:
    """Whether the module has the hook's function, which only optional hooks may lack; there an inherited function is that of another hook."""
    try:
        owner, name = owner_of(hook, module)
    except AttributeError:
        return not hook.optional
    return name in vars(owner) or not hook.optional


def apply(hook: Hook, integration: Integration | None = None) -> None:
    """Patches the function: at once if its module is imported, else upon that import. A second call completes a patch that a fork interrupted.

    With an `integration`, a package version outside of the supported range is logged once.
    """
    place = (hook.module, hook.name)
    _armed.add(place)
    if hook.module in sys.modules:
        _patch(hook, import_module(hook.module), integration)  # waits for a thread that is still importing the module
    elif place not in _awaited:
        wrapt.register_post_import_hook(lambda imported: _imported(hook, imported, integration), hook.module)
        _awaited.add(place)  # only after the registration: a second registration does no harm, a missing one would lose the hook


def _imported(hook: Hook, module: ModuleType, integration: Integration | None) -> None:
    _awaited.discard((hook.module, hook.name))  # wrapt calls once: for a module that is imported again, `apply` registers again
    _patch(hook, module, integration)


def remove(hook: Hook) -> None:
    """Restores the function; a module that is not imported yet will not be patched."""
    place = (hook.module, hook.name)
    _armed.discard(place)
    patch = _patched.pop(place, None)
    if patch is not None and not patch.restore():
        _disabled[place] = patch
    for former in _of_former_modules.pop(place, ()):
        former.restore()


def is_on(hook: Hook) -> bool:
    """Whether the function is patched now, and its calls still reach the wrapper."""
    patch = _patched.get((hook.module, hook.name))
    module = sys.modules.get(hook.module)
    return patch is not None and module is not None and patch.is_of(hook, module) and patch.is_reached()


def is_patched(function: Any) -> bool:
    """Whether a hook has replaced the code of this function."""
    transplants = [patch.transplant for patch in _patched.values() if patch.transplant is not None]
    return any(transplant.function is function and transplant.is_applied() for transplant in transplants)


def _patch(hook: Hook, module: ModuleType, integration: Integration | None) -> None:
    place = (hook.module, hook.name)
    try:
        if place not in _armed or not is_there(hook, module):
            return
        patch = _patched.get(place)
        if patch is not None and not patch.is_of(hook, module):
            _of_former_modules.setdefault(place, []).append(patch)
            patch = None
        elif patch is not None and not patch.is_reached():  # never applied, or removed together with another tool's function
            patch.restore()
            patch = None
        if patch is None:
            patch = _disabled.pop(place, None)
            if patch is not None and patch.is_of(hook, module) and patch.is_reached():
                patch.live.append(True)
            else:
                patch = Patch(hook, module)
            _patched[place] = patch  # stored before `patch.apply`: a child that is forked in between completes the patch
        patch.apply()
        if integration is not None:
            warn_if_outside(integration)
    except Exception as error:  # an SDK of an unknown version: the error is logged, and the application goes on
        internal_error(f"patching {hook.module}:{hook.name}", error)


def renew_import_lock() -> None:
    """Renews the lock of wrapt's import hooks in a forked child: a lock that a thread of the parent held would block every import of the child."""
    importer = vars(sys.modules["wrapt.importer"])
    if "_post_import_hooks_lock" in importer:  # wrapt has no hook for forks
        importer["_post_import_hooks_lock"] = threading.RLock()
