"""Finds wrappers of other tools over a hook's function: on its class, on subclasses, on single objects."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

from tokentrail.instrumentation.contract import Hook
from tokentrail.instrumentation.patching import is_patched, owner_of
from tokentrail.instrumentation.transplant import plain_function

__all__ = ["Layers", "layers_over"]


@dataclass(frozen=True, slots=True)
class Layers:
    """One attribute that holds a function: the modules whose wrappers are called first, and whether the wrappers lead to the hook's function."""

    place: str
    modules: tuple[str, ...]
    leads_to_the_function: bool


def layers_over(hook: Hook) -> Iterator[Layers]:
    """Yields every attribute that holds something else than the hook's function; imports nothing, calls nothing."""
    module = sys.modules.get(hook.module)
    if module is None:
        return
    owner, name = owner_of(hook, module)
    function = plain_function(owner, name)
    if function is None:
        return
    own_place = f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else ""
    for place, found in _places(owner, name):
        if found is not function and is_patched(found):
            continue  # of a subclass, whose own function another hook has patched
        if place != own_place and type(found) is FunctionType and _module_of(found).startswith(f"{hook.module.rpartition('.')[0]}."):
            continue  # of a subclass of the SDK's own, which overrides the function (Google's client that replays recordings)
        modules, last = _walk(found, function)
        if modules or last is not function:
            yield Layers(f"{place}.{name}", tuple(modules), last is function)


def _places(owner: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yields every class, and every living object of such a class, that has an attribute of its own under the name."""
    if not isinstance(owner, type):
        yield owner.__name__, vars(owner).get(name)
        return
    for kind in (owner, *_subclasses(owner)):
        if name in vars(kind):
            yield f"{kind.__module__}.{kind.__qualname__}", vars(kind)[name]
    for thing in gc.get_objects():
        kind = type(thing)
        if kind is not type and issubclass(kind, owner) and name in getattr(thing, "__dict__", ()):
            yield f"an object of {kind.__module__}.{kind.__qualname__}", vars(thing)[name]


def _subclasses(kind: type) -> Iterator[type]:
    below: type
    for below in type.__subclasses__(kind):
        yield below
        yield from _subclasses(below)


def _walk(found: Any, function: FunctionType) -> tuple[list[str], Any]:
    """Returns the modules of the wrappers, from the outermost inwards, and the object behind the last wrapper."""
    modules: list[str] = []
    for _ in range(50):
        if isinstance(found, MethodType):
            found = found.__func__
        if found is function:
            break
        modules.append(_module_of(found))
        inner = getattr(found, "__wrapped__", None)
        if inner is None:
            break
        found = inner
    return list(dict.fromkeys(module for module in modules if not module.startswith("tokentrail."))), found


def _module_of(found: Any) -> str:
    wrapper = getattr(found, "_self_wrapper", None)  # of a wrapt proxy, whose own `__module__` is that of the wrapped function
    if wrapper is not None:
        return str(getattr(wrapper, "__module__", None) or type(wrapper).__module__)
    if type(found) is FunctionType:
        return str(found.__globals__.get("__name__", "?"))
    return str(type(found).__module__)
