"""How hand-made modules and tables write times, and what a total tells of its halves. The shim `tracking` and the importers share this reading."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tokentrail.vocabulary import TokenType

__all__ = ["MOST_TOKENS", "completed", "since_epoch"]

MOST_TOKENS: Final = 10**12
"""A count beyond a trillion is malformed, as in the ledger."""

_UNITS: Final = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""Numbers from so large are in units of so many nanoseconds: nanoseconds, microseconds, milliseconds, seconds since 1970."""
_LARGEST: Final = 2**63
"""Nanoseconds that 64 bits do not hold. A text of ten characters may state a number of a billion digits."""


def since_epoch(number: Decimal | float) -> int:
    """Returns the nanoseconds of a number of seconds, milliseconds, microseconds or nanoseconds since 1970, which differ by their size.

    Raises `ValueError` for a time that is no 64-bit number of nanoseconds, and for one before 1970.
    """
    if not 0 <= number < _LARGEST:
        raise ValueError("no time between 1970 and 2262")
    unit = next(unit for least, unit in _UNITS if number >= least)
    return int(number * unit) if isinstance(number, (int, Decimal)) else round(number * unit)


def completed(given: int | None, answered: int | None, total: int, token_type: str) -> tuple[int | None, int | None]:
    """Returns input and output tokens, the unstated one from the total. A rest below 0 contradicts, and is not stated.

    A total alone is the input where there is no output (an embedding); of an answer no half is known. A call without output has none to complete.
    """
    has_output = token_type == TokenType.LLM.value
    if given is None and answered is None:
        return (None if has_output else total), None
    if given is not None and (answered is not None or not has_output):
        return given, answered
    rest = total - (given or 0) - (answered or 0)
    if rest < 0:
        return given, answered
    return (rest, answered) if given is None else (given, rest)
