"""All that a caller can see of an answer, an exception or a function, in a form that can be compared."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["Seen", "copies_of", "difference", "look_of", "shown", "shown_error"]

_DEEPEST = 40
_ADDRESS = re.compile(r" at 0x[0-9a-f]+|(?<=id=)'[0-9a-f-]{36}'")
_PLAIN = (str, bytes, int, float, bool, type(None))
_REFUSALS = (TypeError, AttributeError, pickle.PicklingError)
_HOME = str(Path(__file__).parents[2])
_FRAMES = re.compile(rf'  File "{re.escape(_HOME)}[^"]*", line \d+, in .*?(?:\n|\\n)(?:    .*?(?:\n|\\n))*')
"""Frames of tokentrail in a text: some SDKs write a traceback into the texts of their exceptions."""


@dataclass(slots=True)
class Seen:
    """What a caller saw of one call: each field is compared, and named where it differs."""

    answer: Any = None
    copies_of_the_answer: Any = None
    items: list[Any] = field(default_factory=list)
    copies_of_items: list[Any] = field(default_factory=list)
    error: Any = None
    warnings: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    requests_before_the_first_item: int | None = None


def difference(bare: Seen, hooked: Seen) -> str:
    """Returns one sentence about the first difference; "" if there is none."""
    for each in fields(Seen):
        one, other = getattr(bare, each.name), getattr(hooked, each.name)
        if one == other:
            continue
        what = each.name.replace("_", " ")
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return f"{what}: {len(one)} without tokentrail, {len(other)} with: {_short(one)}, and {_short(other)}"
            place = next(place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
            one, other, what = one[place], other[place], f"{what}, number {place}"
        return f"{what}: without tokentrail {_short(one)}, with it {_short(other)}"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:1500]}…"  # noqa: PLR2004 - what a terminal shows


def shown(value: Any, depth: int = 0) -> Any:
    """Returns a value that equals another one only if no caller can tell the two objects apart: types, fields, what is set, the `repr`."""
    if isinstance(value, _PLAIN):
        return type(value).__name__, _repr(value) if isinstance(value, str) else repr(value)
    if depth > _DEEPEST:
        return type(value).__name__, "…"
    if isinstance(value, Mapping):
        return type(value).__name__, {str(name): shown(each, depth + 1) for name, each in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return type(value).__name__, [shown(each, depth + 1) for each in value]
    if isinstance(value, BaseException):
        return shown_error(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "model_dump"):
        return (
            kind,
            sorted(getattr(value, "model_fields_set", ())),
            _attempt(value.model_dump),
            _attempt(lambda: value.model_dump_json(exclude_unset=True)),
            _repr(value),
        )
    return kind, _repr(value), {name: shown(each, depth + 1) for name, each in _public(value).items()}


def _public(value: Any) -> dict[str, Any]:
    """The public attributes that hold data, without handles: sockets, responses and clients differ in each call."""
    found = dict(getattr(value, "__dict__", {}))
    found |= {name: getattr(value, name) for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)}
    return {name: each for name, each in found.items() if not name.startswith("_") and _is_data(each)}


def _is_data(value: Any) -> bool:
    return (
        isinstance(value, (*_PLAIN, Mapping, list, tuple, set, frozenset)) or hasattr(value, "model_dump") or hasattr(value, "__dataclass_fields__")
    )


def _repr(value: Any) -> str:
    return _told(repr(value))


def _told(text: str) -> str:
    """Returns a text without addresses in memory and frames of tokentrail."""
    return _ADDRESS.sub("", _FRAMES.sub("", text) if _HOME in text else text)


def shown_error(error: BaseException) -> Any:
    """Returns an exception's type, text, data, causes, and the frames of the SDK that raised it (those of tokentrail stand above them)."""
    behind = [None if each is None else (type(each), _told(str(each))) for each in (error.__cause__, error.__context__)]
    data = {name: shown(each) for name, each in _public(error).items()}
    return (
        type(error),
        _repr(error),
        _told(str(error)),
        data,
        behind,
        error.__suppress_context__,
        getattr(error, "__notes__", None),
        _frames_of(error),
    )


def _frames_of(error: BaseException) -> list[tuple[str, str]]:
    """The modules and functions of the frames, without those whose code is tokentrail's."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if not frame.f_code.co_filename.startswith(_HOME)]
    places = [(str(frame.f_globals.get("__name__", "")), frame.f_code.co_name) for frame in frames]
    return [place for place in places if place[0].partition(".")[0] != "wrapt" and place not in _CHANCE]


_CHANCE = (("aiohttp.streams", "_wait"),)
"""Frames that are there or not by chance: aiohttp raises an error of the connection while it waits, or at the next read."""


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def copies_of(value: Any) -> Any:
    """Returns what becomes of a value that is copied, deeply copied, and pickled: the copy, or that it refuses.

    By which exception it refuses depends on which of its parts `pickle` meets first.
    """
    found = [_attempt(lambda make=make: shown(make(value))) for make in (copy.copy, copy.deepcopy, _pickled)]  # type: ignore[misc]
    return ["refuses" if each in _REFUSALS else each for each in found]


def _attempt(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:
        return type(error)


def look_of(function: Any) -> Any:
    """Returns all that `help()`, an editor or a decorator sees of a function."""
    kinds = [
        test(function)
        for test in (
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            inspect.isfunction,
            inspect.ismethod,
            callable,
        )
    ]
    names = [
        getattr(function, name, None)
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__defaults__", "__kwdefaults__")
    ]
    return (
        kinds,
        names,
        _attempt(lambda: str(inspect.signature(function))),
        _attempt(lambda: _ADDRESS.sub("", pydoc.plain(pydoc.render_doc(function)))),
        copies_of_function(function),
    )


def copies_of_function(function: Any) -> Any:
    """Returns what becomes of a function that is copied and pickled."""
    return [_attempt(lambda make=make: make(function) == function) for make in (copy.copy, copy.deepcopy, _pickled)]  # type: ignore[misc]
