"""Sums of money, whatever context of decimals an application has set: 28 digits, the usual precision, are ten before the point and eighteen after."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import reduce
from typing import Final

__all__ = ["EXACT", "plain", "total"]

EXACT: Final = Context(prec=76)
"""Holds every product of two of ClickHouse's Decimal(38, 18)."""


def plain(amount: Decimal) -> Decimal:
    """Returns the same amount without zeros at its end and without an exponent: 0.0042 for 0.004200000000000000, 0 for 0E-18."""
    short = amount.normalize(EXACT)
    return short.quantize(Decimal(1), context=EXACT) if short == short.to_integral_value() else short


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Returns the sum, to the last digit; 0 of none."""
    return reduce(EXACT.add, amounts, Decimal(0))
