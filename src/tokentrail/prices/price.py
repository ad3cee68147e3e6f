"""A price, as a list has it: for whom, when, and its rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Final

from tokentrail.rates import RATES
from tokentrail.toml_files import FileError

__all__ = ["ALWAYS", "DAY_S", "EVER", "EXCHANGE", "LOWEST", "NEVER", "Exchange", "Price", "PriceError", "PriceList", "Step", "lowered", "rows"]

LOWEST: Final = -(1 << 63)
"""What the first step of a rate is above."""
DAY_S: Final = 86_400
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
NEVER: Final = datetime(2106, 1, 1, tzinfo=timezone.utc)
"""The ends of the range of ClickHouse's DateTime."""
EVER: Final = (0, DAY_S)
EXCHANGE: Final = "rate"
_LOWER: Final = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}

Step = tuple[int, Decimal]
"""Above so many input tokens of the call (exclusive), the price for all of its tokens."""


def lowered(model: str) -> str:
    """Returns a text with the letters A to Z in lower case, as ClickHouse's `lower` does: other letters of a model fit as they are written."""
    return model.translate(_LOWER)


class PriceError(FileError):
    """A price file, or a list, that cannot be used. One sentence."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price. The lower-case model fits all `patterns` and none of `excluded`, regular expressions (RE2); `daily` are seconds of the day, UTC."""

    provider: str
    model: str
    patterns: tuple[str, ...]
    rates: Mapping[str, Sequence[Step]]
    valid_from: datetime = ALWAYS
    valid_to: datetime = NEVER
    daily: tuple[int, int] = EVER
    batch: bool = False
    currency: str = "USD"
    entry: int = 0
    excluded: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one unit of a currency is worth in US dollars, from a moment on."""

    currency: str
    valid_from: datetime
    usd: Decimal


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of a source, in the order in which they are tried, and its exchange rates. `left_out`: models that cannot be converted, and why."""

    source: str
    prices: Sequence[Price]
    exchange: Sequence[Exchange] = ()
    left_out: Sequence[str] = ()


def rows(prices: Iterable[Price]) -> list[dict[str, Any]]:
    """Returns rows of the table `prices`, without source and version: one for each step of a price, the largest first."""
    steps = [(price, above) for price in prices for above in sorted({above for rate in price.rates.values() for above, _ in rate}, reverse=True)]
    return [
        {
            "place": place,
            "above": above,
            "entry": price.entry,
            "provider": price.provider,
            "model": price.model,
            "patterns": list(price.patterns),
            "excluded": list(price.excluded),
            "valid_from": int(price.valid_from.timestamp()),
            "valid_to": int(price.valid_to.timestamp()),
            "daily_from": price.daily[0],
            "daily_to": price.daily[1],
            "batch": price.batch,
            "currency": price.currency,
            "note": price.note,
            **{rate.name: _at(price.rates.get(rate.name, ()), above) for rate in RATES},
        }
        for place, (price, above) in enumerate(steps)
    ]


def _at(rate: Sequence[Step], above: int) -> str | None:
    """Returns what a rate is for calls above so many input tokens; None for no rate."""
    held = [amount for step, amount in rate if step <= above]
    return str(held[-1]) if held else None
