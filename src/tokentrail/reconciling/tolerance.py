"""The tolerance: how far two figures may lie apart without a finding.

`0.1%` of what the other witness states, `100` tokens or requests, `0.01USD`: whichever allows more. Several are separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tokentrail.reconciling.finding import COST, Figure

__all__ = ["DEFAULT", "Tolerance", "parse"]

DEFAULT: Final = "0.1%,0.01 of money"
_PART: Final = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,18})?) *(?P<unit>%|[A-Z]{3}|of money|)")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`share` of what is stated (0 to 1), `tokens` and requests, `money` of any currency, `currencies` with a tolerance of their own."""

    share: Decimal = Decimal(0)
    tokens: Decimal = Decimal(0)
    money: Decimal = Decimal(0)
    currencies: Mapping[str, Decimal] = field(default_factory=dict)

    def allowed(self, measure: str, stated: Decimal) -> Decimal:
        """Returns how far the ledger's figure may be from the stated one."""
        absolute = self.currencies.get(measure.removeprefix(COST), self.money) if measure.startswith(COST) else self.tokens
        return max(absolute, abs(stated) * self.share)

    def allows(self, figure: Figure) -> bool:
        """Whether two figures are as good as equal."""
        return abs(figure.difference) <= self.allowed(figure.measure, figure.stated)

    def same(self, measure: str, one: Decimal, other: Decimal, beside: Decimal) -> bool:
        """Whether two differences are as good as equal, beside a figure of which both are a part."""
        return abs(one - other) <= self.allowed(measure, beside)


def parse(text: str) -> Tolerance:
    """Parses a tolerance. Raises `ValueError` with one sentence for anything else."""
    share = tokens = money = Decimal(0)
    currencies: dict[str, Decimal] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no tolerance: write a share (0.1%), tokens (100) or money (0.01USD), several separated by commas")
        value, unit = Decimal(match["number"]), match["unit"]
        if unit == "%" and value >= 100:  # noqa: PLR2004 - all of it
            raise ValueError(f"{part!r} allows everything: write a share below 100%")
        if unit == "%":
            share = value / 100
        elif unit == "of money":
            money = value
        elif unit:
            currencies[unit] = value
        else:
            tokens = value
    return Tolerance(share, tokens, money, currencies)
