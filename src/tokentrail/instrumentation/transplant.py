"""A function that runs other code and stays the object that it was.

Other instrumentations take hold of the function that they find: as an attribute of a subclass (`OpenAI.request`), of one client, or as the "original"
that they put back. An attribute that is replaced afterwards is then never looked at again. A function's code is looked at by each call of it, whoever
holds the function; so the order of instrumentations, and which of them are switched off again, does not matter.

The code is that of a stand-in, in which one constant is exchanged for what it needs; nothing is added to the globals of the SDK's module. What the
function looks like (`inspect.signature`, `getsource`, `iscoroutinefunction`, pickling) stays: `__wrapped__` leads to a copy with the code as it was.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

__all__ = ["Live", "Transplant", "behind_it", "can_be_transplanted", "plain_function"]

_MOST_SEEN: Final = 200
_LOOKED_INTO: Final = {FunctionType, MethodType, partial}
"""What else a function holds or names (lazy objects, mocks) is not asked anything, but for proxies of wrapt's."""

_MARK = "tokentrail: the parts of a transplant"
_NEITHER = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


class Live(list[bool]):
    """Whether a wrapper does anything: each call looks at its truth, without a call of its own. Hashable, since code and its constants are."""

    __hash__ = object.__hash__  # type: ignore[assignment]


# Each of these is never called: its code is. The literal is what `_MARK` says; a name would be looked up in the SDK's module.
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


_STAND_INS = {(True, False): _method, (True, True): _async_method, (False, False): _function, (False, True): _async_function}


def plain_function(owner: Any, name: str, module: ModuleType | None = None) -> FunctionType | None:
    """Find the SDK's function below what others have put in its place; None where there is none of its own.

    With the SDK's module: plain functions that come from elsewhere are looked behind too, and only if nothing is there, the outermost is the answer.
    """
    found = vars(owner).get(name)
    if found is None or type(found) in {staticmethod, classmethod, property}:
        return None
    first: FunctionType | None = None
    for behind in behind_it(found):
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


def behind_it(found: Any) -> Iterator[Any]:
    """Give what stands in a function's place, and then what it may call: what it wraps, else what a plain function holds or names."""
    seen: dict[int, Any] = {}
    waiting = deque([found])
    while waiting and len(seen) < _MOST_SEEN:  # a chain of proxies has an end, whatever somebody built
        here = waiting.popleft()
        if here is None or id(here) in seen:
            continue
        seen[id(here)] = here
        yield here
        if type(here) is FunctionType:
            waiting.extend(value for value in _held_by(here) if type(value) in _LOOKED_INTO or hasattr(type(value), "__wrapped__"))
        elif type(here) is MethodType:
            waiting.append(here.__func__)
        elif type(here) is partial:
            waiting.append(here.func)
        else:
            waiting.append(getattr(here, "__wrapped__", None))


def _held_by(function: FunctionType) -> Iterator[Any]:
    yield vars(function).get("__wrapped__")
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # empty yet
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()  # as the functions that `mock` makes hold their `side_effect`
    for name in function.__code__.co_names:
        yield function.__globals__.get(name)


def can_be_transplanted(function: FunctionType, *, is_async: bool) -> bool:
    """Whether the function may run a stand-in's code: no generator, no closure (a decorator's wrapper), and as synchronous as its wrapper."""
    code = function.__code__
    if code.co_flags & _NEITHER or not set(code.co_freevars) <= {"__class__"}:
        return False
    return bool(code.co_flags & inspect.CO_COROUTINE) is is_async


class Transplant:
    """A function whose calls go to a wrapper, with the signature of wrapt's: `wrapper(wrapped, instance, args, kwargs)`."""

    __slots__ = ("code", "function", "live", "original")

    def __init__(self, function: FunctionType, wrapper: Any, live: Live, *, of_class: bool, is_async: bool) -> None:
        self.function = function
        self.live = live
        self.original = _copy_of(function)
        parts = (live, wrapper, self.original, MethodType)
        self.code = _code_of(_STAND_INS[of_class, is_async].__code__, function.__code__, parts)

    def apply(self) -> None:
        """Let the function run the stand-in's code. Other code than its own that it runs by now (another tool's) stays, and leads here."""
        if self.function.__code__ is self.original.__code__:
            vars(self.function)["__wrapped__"] = self.original
            self.function.__code__ = self.code

    def is_in_force(self) -> bool:
        """Whether the function does not run its own code."""
        return self.function.__code__ is not self.original.__code__

    def restore(self) -> bool:
        """Let the function run its own code. False where another tool has put code over the stand-in's, which stays."""
        if self.function.__code__ is not self.code:
            return not self.is_in_force()
        self.function.__code__ = self.original.__code__
        if vars(self.function).get("__wrapped__") is self.original:
            del vars(self.function)["__wrapped__"]
        return True


def _copy_of(function: FunctionType) -> FunctionType:
    """Make a function with the code as it is now, under the same name."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    copy.__module__ = function.__module__
    copy.__doc__ = function.__doc__
    vars(copy).update(vars(function))
    if (annotate := getattr(function, "__annotate__", None)) is not None:  # since Python 3.14 annotations are made when they are asked for
        copy.__annotate__ = annotate  # type: ignore[attr-defined]
    else:
        copy.__annotations__ = function.__annotations__
    return copy


def _code_of(stand_in: CodeType, code: CodeType, parts: tuple[Any, ...]) -> CodeType:
    """Make the stand-in's code the function's: with its parts, its name, and as many free variables as the function's closure has cells."""
    names: dict[str, Any] = {"co_name": code.co_name}
    if hasattr(code, "co_qualname"):  # since Python 3.11
        names["co_qualname"] = code.co_qualname
    constants = tuple(parts if constant == _MARK else constant for constant in stand_in.co_consts)
    return stand_in.replace(co_consts=constants, co_freevars=code.co_freevars, **names)
