"""Replaces the code of a function, while the function object stays the same.

Other instrumentations keep a reference to the function that they find: as an attribute of a subclass (`OpenAI.request`), of one client, or as the
"original" that they restore. A wrapper that replaces the attribute later is then never called. Every call of a function runs the function's code,
whichever reference is called; so neither the order of instrumentations matters, nor which of them are removed again.

The new code is that of a stub, in which one constant is replaced by the objects that the stub needs; nothing is added to the globals of the SDK's
module. The function's looks stay (`inspect.signature`, `getsource`, `iscoroutinefunction`, pickling): `__wrapped__` is a copy with the original code.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from tokentrail.frames import file_passed_over

__all__ = ["Live", "Transplant", "can_be_transplanted", "plain_function", "reachable_from"]

_MAX_OBJECTS: Final = 200
_FOLLOWED_TYPES: Final = {FunctionType, MethodType, partial}
"""The types that `reachable_from` looks into, beside wrapt's proxies. Attributes of other objects (lazy objects, mocks) are never accessed."""

# The stubs below are never called: only their code is used. The literal in them equals `_MARK`; a name would be looked up in the SDK's module. No
# comment stands right above a stub: `help()` would show the comment for a patched function without a docstring.
_MARK = "tokentrail: the parts of a transplant"
_WITHOUT_STUB = inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


class Live(list[bool]):
    """A flag that enables a wrapper: not empty is True, read without a function call. Hashable, because code objects hash their constants."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def _method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, bind = parts
    if live:
        return wrapper(bind(original, self), self, args, kwargs)
    return original(self, *args, **kwargs)


async def _async_method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, bind = parts
    if live:
        return await wrapper(bind(original, self), self, args, kwargs)
    return await original(self, *args, **kwargs)


def _generator_method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, bind = parts
    if live:
        return (yield from wrapper(bind(original, self), self, args, kwargs))
    return (yield from original(self, *args, **kwargs))


def _function(*args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, _bind = parts
    if live:
        return wrapper(original, None, args, kwargs)
    return original(*args, **kwargs)


async def _async_function(*args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, _bind = parts
    if live:
        return await wrapper(original, None, args, kwargs)
    return await original(*args, **kwargs)


def _generator_function(*args: Any, **kwargs: Any) -> Any:
    parts: Any = "tokentrail: the parts of a transplant"
    live, wrapper, original, _bind = parts
    if live:
        return (yield from wrapper(original, None, args, kwargs))
    return (yield from original(*args, **kwargs))


_KINDS: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR
_STUBS = {
    (True, 0): _method,
    (True, inspect.CO_COROUTINE): _async_method,
    (True, inspect.CO_GENERATOR): _generator_method,
    (False, 0): _function,
    (False, inspect.CO_COROUTINE): _async_function,
    (False, inspect.CO_GENERATOR): _generator_function,
}
"""The stubs, by whether the function is a method, and by the flag of its kind: a generator function stays one."""


def plain_function(owner: Any, name: str, module: ModuleType | None = None) -> FunctionType | None:
    """Returns the SDK's plain function below the wrappers of other tools; None where the owner has no such function of its own.

    With the SDK's module, plain functions of other modules count as wrappers too; the outermost one is returned if no function of the SDK is found.
    """
    found = vars(owner).get(name)
    if found is None or type(found) in {staticmethod, classmethod, property}:
        return None
    first: FunctionType | None = None
    for behind in reachable_from(found):
        if type(behind) is FunctionType:
            if module is None:
                return behind
            qualified = f"{owner.__qualname__}.{name}" if isinstance(owner, type) else name
            if behind.__globals__ is vars(module) and (first is None or behind.__qualname__ == qualified):
                return behind
            first = first or behind
        elif first is None and type(behind) in {staticmethod, classmethod, property}:
            return None
    return first


def reachable_from(found: Any) -> Iterator[Any]:
    """Yields the object found in place of a function, then the objects that this object may call: those that it wraps, holds or names."""
    seen: dict[int, Any] = {}
    waiting = deque([found])
    while waiting and len(seen) < _MAX_OBJECTS:  # proxies may form an endless chain
        here = waiting.popleft()
        if here is None or id(here) in seen:
            continue
        seen[id(here)] = here
        yield here
        if type(here) is FunctionType:
            waiting.extend(value for value in _held_by(here) if type(value) in _FOLLOWED_TYPES or hasattr(type(value), "__wrapped__"))
        elif type(here) is MethodType:
            waiting.append(here.__func__)
        elif type(here) is partial:
            waiting.append(here.func)
        else:
            waiting.append(getattr(here, "__wrapped__", None))


def _held_by(function: FunctionType) -> Iterator[Any]:
    yield vars(function).get("__wrapped__")
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # the cell is still empty
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()  # functions made by `mock` hold their `side_effect` there
    for name in function.__code__.co_names:
        yield function.__globals__.get(name)


def can_be_transplanted(function: FunctionType, *, is_async: bool, is_generator: bool) -> bool:
    """Whether the function can run a stub's code: no closure (a decorator's wrapper), a generator only where the hook says so, async as its wrapper.

    The stub of a generator function is a generator function too: the wrapper runs with the generator's first step, as the SDK's own code does.
    """
    code = function.__code__
    if code.co_flags & _WITHOUT_STUB or not set(code.co_freevars) <= {"__class__"}:
        return False
    if code.co_flags & inspect.CO_GENERATOR and not is_generator:
        return False
    return bool(code.co_flags & inspect.CO_COROUTINE) is is_async


class Transplant:
    """A function whose calls go to a wrapper, with wrapt's signature: `wrapper(wrapped, instance, args, kwargs)`."""

    __slots__ = ("code", "function", "live", "original")

    def __init__(self, function: FunctionType, wrapper: Any, live: Live, *, of_class: bool) -> None:
        self.function = function
        self.live = live
        self.original = _copy_of(function)
        parts = (live, wrapper, self.original, MethodType)
        self.code = _code_of(_STUBS[of_class, function.__code__.co_flags & _KINDS].__code__, function.__code__, parts)

    def apply(self) -> None:
        """Replaces the function's code by the stub's. Code that another tool has put there since stays in place, and calls the wrapper in the end."""
        if self.function.__code__ is self.original.__code__:
            vars(self.function)["__wrapped__"] = self.original
            self.function.__code__ = self.code

    def is_applied(self) -> bool:
        """Whether the function's code is replaced."""
        return self.function.__code__ is not self.original.__code__

    def restore(self) -> bool:
        """Restores the function's code. False where another tool has replaced the stub's code since, and its code stays."""
        if self.function.__code__ is not self.code:
            return not self.is_applied()
        self.function.__code__ = self.original.__code__
        if vars(self.function).get("__wrapped__") is self.original:
            del vars(self.function)["__wrapped__"]
        return True


def _copy_of(function: FunctionType) -> FunctionType:
    """Returns a function with the present code, under the same name."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    copy.__module__ = function.__module__
    copy.__doc__ = function.__doc__
    vars(copy).update(vars(function))
    if (annotate := getattr(function, "__annotate__", None)) is not None:  # since Python 3.14 annotations are evaluated lazily
        copy.__annotate__ = annotate  # type: ignore[attr-defined]
    else:
        copy.__annotations__ = function.__annotations__
    return copy


def _code_of(stub: CodeType, code: CodeType, parts: tuple[Any, ...]) -> CodeType:
    """Returns the stub's code with the parts, the function's name, and as many free variables as the function's closure has cells."""
    names: dict[str, Any] = {"co_name": code.co_name, "co_filename": file_passed_over(stub)}
    if hasattr(code, "co_qualname"):  # since Python 3.11
        names["co_qualname"] = code.co_qualname
    constants = tuple(parts if constant == _MARK else constant for constant in stub.co_consts)
    return stub.replace(co_consts=constants, co_freevars=code.co_freevars, **names)
