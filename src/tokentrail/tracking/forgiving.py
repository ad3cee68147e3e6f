"""What `track_token_usage` makes of its arguments: a usage was spent, so it is recorded, with what can be read of it.

A wrong argument is a mistake of the program, but the tokens are paid. So nothing is raised: what cannot be read is not stated, and the mistake is
counted (`tokentrail.internal.errors`) and logged by the argument's name, at most once a minute. Values are not logged: they may hold a prompt.
"""

from __future__ import annotations

import functools
import inspect
import operator
import time
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeVar

from tokentrail.idempotency import nanoseconds, shorten
from tokentrail.process.current import current
from tokentrail.tracking.durations import duration_ns
from tokentrail.tracking.metadata import metadata_text

__all__ = ["count_of", "duration_of", "metadata_of", "mistake", "never_raises", "text_of", "time_of", "word_of"]

PLACE: Final = "track_token_usage"
F = TypeVar("F", bound=Callable[..., Any])


def mistake(name: str, said: str) -> None:
    """Counts and logs a mistake in an argument; never raises."""
    diagnostics = current.runtime.diagnostics
    diagnostics.count(PLACE)
    diagnostics.complain(f"track_token_usage: {name} {said}; the usage is recorded all the same", about=f"{PLACE} {name}")


def text_of(name: str, given: Any) -> str:
    """Returns a text; other values as their text, None and what has none as ""."""
    if issubclass(type(given), str):  # not `isinstance`, which asks the value for its class
        return str(given.value) if isinstance(given, Enum) else given
    mistake(name, f"is a text, not {type(given).__name__}")
    try:
        return "" if given is None else given.decode("utf-8", "replace") if issubclass(type(given), bytes) else str(given)
    except Exception:
        return ""


def word_of(name: str, given: Any, parse: Callable[[Any], Enum], instead: str | None = None) -> str:
    """Returns a word of a vocabulary. For any other value `instead`; without that the value's text, which is `unknown` in ClickHouse's enum."""
    try:
        return str(parse(given).value)
    except Exception:
        mistake(name, "is no word of the vocabulary")
    if instead is not None:
        return instead
    return shorten(text_of(name, given))


def count_of(name: str, given: Any, *, signed: bool) -> int | None:
    """Returns a count. Whole numbers of any type are read, in digits too; what is none, too large, or negative without being a correction is None."""
    if given is None:
        return None
    number = _whole(given)
    if number is None or issubclass(type(given), (str, float)):
        mistake(name, f"is a number, an int or None for not stated, not {type(given).__name__}")
    if number is None:
        return None
    if number < 0 and not signed:
        mistake(name, "is negative: only a correction (corrects_key=) takes something back")
        return None
    if not -(2**63) < number < 2**63:
        mistake(name, "is more than 64 bits hold")
        return None
    return number


def _whole(given: Any) -> int | None:
    try:
        if isinstance(given, bool):
            return None
        if isinstance(given, str):
            return int(given)
        if hasattr(given, "__index__"):
            return int(operator.index(given))  # numpy's and pandas' numbers, too
        return int(given) if given == int(given) else None
    except Exception:
        return None


def time_of(given: Any) -> int:
    """Returns UTC nanoseconds; now for None, and for what is no time."""
    if given is not None:
        try:
            return nanoseconds(given)
        except Exception:
            naive = issubclass(type(given), datetime)
            mistake("timestamp", "has no time zone: now is taken" if naive else "is no aware datetime and no UTC nanoseconds: now is taken")
    return time.time_ns()


def duration_of(given: Any) -> int | None:
    """Returns a duration in nanoseconds; None for None, and for what is none."""
    if given is None:
        return None
    try:
        return duration_ns(given)
    except Exception:
        mistake("duration", "is no number of seconds, from 0")
        return None


def metadata_of(given: Any) -> tuple[str, bool]:
    """Returns metadata as JSON, and whether it was cut."""
    try:
        return metadata_text(given)
    except Exception:
        mistake("metadata", f"is a mapping, not {type(given).__name__}")
        return "", False


def never_raises(function: F) -> F:
    """Decorates a function of keywords alone: unknown ones are left out, missing ones are given as "", and nothing is raised.

    Type checkers see the function as it is written.
    """
    parameters = inspect.signature(function).parameters
    needed = {name: "" for name, parameter in parameters.items() if parameter.default is parameter.empty}

    @functools.wraps(function)
    def forgiving(*args: Any, **keywords: Any) -> Any:
        if args:
            mistake("its first argument", "has no name")
        if not keywords.keys() <= parameters.keys():
            mistake(", ".join(sorted(keywords.keys() - parameters.keys())), "is no argument")
            keywords = {name: value for name, value in keywords.items() if name in parameters}
        if not keywords.keys() >= needed.keys():
            mistake(", ".join(sorted(needed.keys() - keywords.keys())), "is missing")
            keywords = needed | keywords
        try:
            return function(**keywords)
        except Exception as error:
            current.runtime.diagnostics.internal_error(PLACE, error)
            return ""

    return forgiving  # type: ignore[return-value]
