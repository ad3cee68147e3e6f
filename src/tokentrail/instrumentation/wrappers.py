"""Wrappers of functions that cannot be transplanted (generator functions): copied and pickled as the functions are, by name."""

from __future__ import annotations

import copy
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

__all__ = ["Wrapper"]

if TYPE_CHECKING:
    _Function = wrapt.FunctionWrapper[Any, Any]
    _Bound = wrapt.BoundFunctionWrapper[Any, Any]
else:
    _Function, _Bound = wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


def _by_name(function: Any) -> Reduced:
    return pkgutil.resolve_name, (f"{function.__module__}:{function.__qualname__}",)


class _BoundWrapper(_Bound):
    """A method of an instance or, without an instance, the function of a class."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self if self._self_instance is None else getattr(copy.deepcopy(self._self_instance, memo), self.__name__)

    def __reduce__(self) -> Reduced:
        return _by_name(self) if self._self_instance is None else (getattr, (self._self_instance, self.__name__))

    def __reduce_ex__(self, _protocol: Any) -> Reduced:
        return self.__reduce__()


class Wrapper(_Function):
    """A wrapper in the place of a function."""

    __bound_function_wrapper__ = _BoundWrapper

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> Reduced:
        return _by_name(self)

    def __reduce_ex__(self, _protocol: Any) -> Reduced:
        return self.__reduce__()
