"""Converts values that ClickHouse's JSON quotes: integers of 64 bits and more (servers before 25.8), nan and inf (if requested), at any depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["Reading", "reading"]

Reading = Callable[[Any], Any]
"""Converts a JSON value to the value of its ClickHouse type."""

_FORM: Final = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_INTEGER: Final = re.compile(r"U?Int\d+")
_FLOAT: Final = re.compile(r"B?Float\d+")
_PIECE: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.)*\"|.", re.DOTALL)


def reading(kind: str) -> Reading | None:
    """Returns the reading of values of the type `kind`; `None` if the values stay unchanged."""
    form = _FORM.fullmatch(kind.strip())
    if form is None:
        return None
    name, inner = form[1], form[2] or ""
    if _INTEGER.fullmatch(name):
        return _unquoted(int)
    if _FLOAT.fullmatch(name):
        return _unquoted(float)
    arguments = list(_split(inner, ","))
    if name in ("Nullable", "LowCardinality"):
        return reading(inner)
    if name == "SimpleAggregateFunction":
        return reading(arguments[-1])
    if name == "Array":
        return _list(reading(inner))
    if name == "Map":
        return _map(reading(arguments[-1]))
    members = [reading(list(_split(argument.strip(), " "))[-1]) for argument in arguments] if name in ("Tuple", "Nested") else []
    return (_list(_tuple(members)) if name == "Nested" else _tuple(members)) if any(members) else None


def _unquoted(kind: type[int | float]) -> Reading:
    return lambda value: kind(value) if isinstance(value, str) else value


def _list(each: Reading | None) -> Reading | None:
    return each and (lambda value: [each(item) for item in value] if isinstance(value, list) else value)


def _map(each: Reading | None) -> Reading | None:
    return each and (lambda value: {name: each(item) for name, item in value.items()} if isinstance(value, dict) else value)


def _tuple(members: list[Reading | None]) -> Reading:
    """Returns the reading of a list, or of an object if the members have names."""

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return dict(zip(value, read(list(value.values())), strict=True))
        if not isinstance(value, list) or len(value) != len(members):
            return value
        return [member(item) if member else item for member, item in zip(members, value, strict=True)]

    return read


def _split(text: str, sign: str) -> Iterator[str]:
    """Splits a type's text at signs outside of brackets and quotes."""
    depth, part = 0, ""
    for piece in _PIECE.findall(text):
        depth += (piece == "(") - (piece == ")")
        if piece == sign and not depth:
            yield part
            part = ""
        else:
            part += piece
    yield part
