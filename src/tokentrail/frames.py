"""Frames of tokentrail between an SDK's function and the function's caller: `warnings` and `logging` pass them over.

`warnings.warn(…, stacklevel=2)` in an SDK is laid to the SDK's caller, and Python shows a `DeprecationWarning` only if that caller is `__main__`:
with a frame of a wrapper in between, the application would lose the warning. Python passes over the frames of files that have `importlib` and
`_bootstrap` in their names (`warnings._is_internal_frame`, and the same in `logging` since 3.11), so the code of a wrapper names a file like that.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any, Final, TypeVar

__all__ = ["file_passed_over", "passed_over"]

F = TypeVar("F", bound=Callable[..., Any])

_PASSED_OVER: Final = " (passed over by stacklevel, as importlib._bootstrap)"


def file_passed_over(code: CodeType) -> str:
    """Returns the file's name for a code object whose frames are passed over."""
    return code.co_filename if code.co_filename.endswith(_PASSED_OVER) else code.co_filename + _PASSED_OVER


def passed_over(wrapper: F) -> F:
    """Decorates a function that runs the code of an SDK or of the application: its frames do not count for `stacklevel`.

    The same holds for the functions that are written inside it: those that are made anew at each call cost nothing more so.
    """
    wrapper.__code__ = _passed_over(wrapper.__code__)
    return wrapper


def _passed_over(code: CodeType) -> CodeType:
    constants = tuple(_passed_over(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=file_passed_over(code), co_consts=constants)
