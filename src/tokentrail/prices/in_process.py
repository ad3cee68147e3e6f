"""Price lists in the process of a service, for `spent.cost`: the same prices, and the same arithmetic, as the view `usage_cost` in ClickHouse.

Lists are loaded by `use_prices` alone, from files and from an installed package, and never over a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from tokentrail.attribution import Cost, pricing
from tokentrail.prices.files import OWN, read
from tokentrail.prices.price import PriceList, lowered, rows
from tokentrail.process.current import current
from tokentrail.rates import RATES
from tokentrail.usage import Usage

__all__ = ["Prices", "use_prices"]

_PLACES: Final = 18
_EXACT: Final = Context(prec=60)
_MILLION: Final = 10**6
_MICROSECONDS_OF_AN_HOUR: Final = 3_600_000_000
_MOST_MODELS: Final = 4096
_DATE: Final = re.compile(r"-(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])(-|:|\Z)")


def use_prices(*files: str | Path, public: bool = False) -> None:
    """Loads price lists for `spent.cost`, in place of those that were in use; without any, costs are not computed.

        use_prices("ours.toml", public=True)

    `files` are price files as `tokentrail prices load` takes them, and come first; `public` is the list of the installed package genai-prices.
    Raises `PriceError`, one sentence, for a file that cannot be used, and `ImportError` without the package; the former lists stay in use then.
    """
    lists = [read(Path(file)) for file in files]
    if public:
        from tokentrail.prices.public import public_list  # noqa: PLC0415 - 2,300 models

        lists.append(public_list())
    pricing.cost_of = Prices(lists).cost_of if lists else None


@dataclass(frozen=True, slots=True)
class _Price:
    """A row of the table `prices`, with its rates in units of the 18th decimal place."""

    rank: tuple[bool, str]
    entry: int
    place: int
    patterns: tuple[re.Pattern[str], ...]
    excluded: tuple[re.Pattern[str], ...]
    seconds: tuple[int, int]
    daily: tuple[int, int]
    batch: bool
    above: int
    currency: str
    rates: Mapping[str, int | None]

    def fits(self, model: str) -> bool:
        return all(each.search(model) for each in self.patterns) and not any(each.search(model) for each in self.excluded)

    def holds(self, usage: Usage) -> bool:
        """Whether this is the price at the time of the call."""
        second = usage.ts // 10**9
        of_day = second % 86_400
        begin, end = self.daily
        return (
            self.seconds[0] <= second < self.seconds[1]
            and (not self.batch or usage.endpoint == "batch")
            and (usage.input_tokens or 0) > self.above
            and (begin <= of_day < end if begin < end else of_day >= begin or of_day < end)
        )


class Prices:
    """Prices by provider, in the order in which they are tried."""

    def __init__(self, lists: Iterable[PriceList]) -> None:
        self._by_provider: dict[str, list[_Price]] = {}
        self._known: dict[tuple[str, str, str], Sequence[_Price]] = {}
        for each in lists:
            source = each.source.partition(" ")[0]
            for row in rows(each.prices):
                self._by_provider.setdefault(row["provider"], []).append(_price(source, row))

    def cost_of(self, usage: Usage) -> Cost:
        """Returns what a usage costs. Never raises: a usage whose cost cannot be computed is unpriced."""
        try:
            names = usage.provider, usage.request_model, usage.response_model
            tried = self._known.get(names)
            if tried is None:
                if len(self._known) >= _MOST_MODELS:
                    self._known.clear()
                tried = self._known[names] = self._resolve(*names)
            return _cost(usage, next((price for price in tried if price.holds(usage)), None))
        except Exception as error:
            current.runtime.diagnostics.internal_error("prices", error)
            return Cost("unpriced")

    def _resolve(self, provider: str, request_model: str, response_model: str) -> Sequence[_Price]:
        """Returns the prices that fit: own ones first, those of the model that answered before those of the requested one, then as in the list.

        A public list fits by its first model alone.
        """
        answered, asked = lowered(response_model), lowered(request_model)
        names = [(place, name) for place, name in enumerate((answered, _dashed(answered), asked, _dashed(asked)), 1) if name]
        fitting: list[tuple[_Price, int]] = []
        for listed in dict.fromkeys(("*", provider)):
            fitting += [(price, place) for price in self._by_provider.get(listed, ()) for place, name in names if price.fits(name)]
        first: dict[tuple[bool, str], tuple[int, int]] = {}
        for price, place in fitting:
            if price.rank[0]:
                first[price.rank] = min(first.get(price.rank, (place, price.entry)), (place, price.entry))
        kept = [(price, place) for price, place in fitting if not price.rank[0] or first[price.rank] == (place, price.entry)]
        kept.sort(key=lambda each: (each[0].rank, each[1], each[0].place))
        return [price for price, _ in kept]


def _price(source: str, row: Mapping[str, Any]) -> _Price:
    return _Price(
        rank=(source != OWN, source),
        entry=row["entry"],
        place=row["place"],
        patterns=tuple(map(_compiled, row["patterns"])),
        excluded=tuple(map(_compiled, row["excluded"])),
        seconds=(row["valid_from"], row["valid_to"]),
        daily=(row["daily_from"], row["daily_to"]),
        batch=row["batch"],
        above=row["above"],
        currency=row["currency"],
        rates={rate.name: None if row[rate.name] is None else int(Decimal(row[rate.name]).scaleb(_PLACES, _EXACT)) for rate in RATES},
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Returns the expression as ClickHouse reads it: a dot is any character, and the end is the end of the text."""
    return re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", pattern), re.DOTALL)


def _dashed(name: str) -> str:
    """Returns a name with dashes in its date, as public lists write dates."""
    return _DATE.sub(r"-\1-\2-\3\4", name)


def _cost(usage: Usage, price: _Price | None) -> Cost:
    """Computes as `clickhouse/definitions/usage_cost.sql` does, in whole units of the 18th decimal place."""
    rates: Mapping[str, int | None] = price.rates if price is not None else {}
    stated = usage.input_tokens is not None or usage.output_tokens is not None
    if not stated and rates.get("call") is None and rates.get("hour") is None:
        return Cost("uncounted")
    if price is None:
        return Cost("unpriced")

    def part(rate: str, tokens: int | None) -> int:
        return 0 if rates[rate] is None else tokens or 0

    def paid(rate: str, number: int) -> int:
        return number * (rates[rate] or 0)

    into, out = usage.input_tokens or 0, usage.output_tokens or 0
    for_an_hour = part("cache_write_1h", usage.cache_write_1h_tokens)
    written = part("cache_write", (usage.cache_write_tokens or 0) - for_an_hour)
    inside = {
        "cache_write_1h": for_an_hour,
        "cache_write": written,
        "cache_read": part("cache_read", usage.cache_read_tokens),
        "audio_input": part("audio_input", usage.audio_input_tokens),
        "image_input": part("image_input", usage.image_input_tokens),
    }
    made = {
        "reasoning": part("reasoning", usage.reasoning_tokens),
        "audio_output": part("audio_output", usage.audio_output_tokens),
        "image_output": part("image_output", usage.image_output_tokens),
    }
    rest_in, rest_out = into - sum(inside.values()), out - sum(made.values())
    lacks = (rest_in != 0 and rates["input"] is None) or (rest_out != 0 and rates["output"] is None)
    millions = [
        paid("input", max(rest_in, 0) if into >= 0 else rest_in) + sum(paid(rate, tokens) for rate, tokens in inside.items()),
        paid("output", max(rest_out, 0) if out >= 0 else rest_out) + sum(paid(rate, tokens) for rate, tokens in made.items()),
    ]
    microseconds = round((usage.duration_ns or 0) / 1_000_000 * 1000)
    units = sum(_cut(each, _MILLION) for each in millions) + paid("call", usage.calls) + _cut(paid("hour", microseconds), _MICROSECONDS_OF_AN_HOUR)
    state = "partly" if usage.source == "unknown" or lacks else "priced"
    return Cost(state, price.currency, Decimal(units).scaleb(-_PLACES, _EXACT))


def _cut(number: int, divisor: int) -> int:
    """Divides as decimals of a fixed scale are divided: towards 0."""
    return number // divisor if number >= 0 else -(-number // divisor)
