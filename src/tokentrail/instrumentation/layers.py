"""Finds wrappers of other tools over a hook's function: on its class, on subclasses, on single objects."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
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


def layers_over(hooks: Iterable[Hook]) -> Iterator[Layers]:
    """Yields every attribute that holds something else than the function of one of the hooks; imports nothing, calls nothing."""
    hooked = [(hook, *owner_of(hook, sys.modules[hook.module])) for hook in hooks if hook.module in sys.modules]
    objects = _objects_of(tuple({owner for _, owner, _ in hooked if isinstance(owner, type)}))
    for hook, owner, name in hooked:
        function = plain_function(owner, name)
        if function is not None:
            yield from _layers(hook, owner, name, function, objects)


def _layers(hook: Hook, owner: Any, name: str, function: FunctionType, objects: Sequence[Any]) -> Iterator[Layers]:
    own_place = f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else ""
    for place, found in _places(owner, name, objects):
        if found is not function and is_patched(found):
            continue  # of a subclass, whose own function another hook has patched
        if place != own_place and type(found) is FunctionType and _module_of(found).startswith(f"{hook.module.rpartition('.')[0]}."):
            continue  # of a subclass of the SDK's own, which overrides the function (Google's client that replays recordings)
        modules, last = _walk(found, function)
        if modules or last is not function:
            yield Layers(f"{place}.{name}", tuple(modules), last is function)


def _objects_of(owners: tuple[type, ...]) -> Sequence[Any]:
    """Returns the living objects of these classes; one look at all objects, since there may be millions."""
    is_wanted: dict[type, bool] = {type: False}
    found = []
    for thing in gc.get_objects():
        kind = type(thing)
        if kind not in is_wanted:
            is_wanted[kind] = issubclass(kind, owners)
        if is_wanted[kind]:
            found.append(thing)
    return found


def _places(owner: Any, name: str, objects: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yields every class, and every one of the living objects of such a class, that has an attribute of its own under the name."""
    if not isinstance(owner, type):
        yield owner.__name__, vars(owner).get(name)
        return
    for kind in (owner, *_subclasses(owner)):
        if name in vars(kind):
            yield f"{kind.__module__}.{kind.__qualname__}", vars(kind)[name]
    for thing in objects:
        kind = type(thing)
        if issubclass(kind, owner) and name in getattr(thing, "__dict__", ()):
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
