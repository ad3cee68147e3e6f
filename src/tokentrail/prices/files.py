"""Price files of one's own: negotiated prices, models on machines of one's own. TOML.

currency = "USD"                    # of prices that state none

[[price]]
provider = "openai"                 # as in the ledger; "*" for any
model = "gpt-4o*"                   # * stands for any characters; or a list of names
from = 2026-01-01                   # UTC; left out: always
to = 2026-07-01                     # excluded; left out: for ever
input = "2.50"                      # per million tokens; input, output, cache_read, cache_write, cache_write_1h, reasoning,
output = 10                         # audio_input, audio_output, image_input, image_output
batch = { input = 1.25, output = 5 }                    # results of a batch; what is left out is as above
steps = [{ above = 200000, input = 5, output = 15 }]    # for all tokens of calls with more input

[[price]]
provider = "llama_cpp"
model = "*"
currency = "EUR"
hour = "1.20"                       # per hour of the calls' durations; or call = …, for each call

[[rate]]                            # of exchange, valid until the next one of the currency; a file may have rates alone
currency = "EUR"
from = 2026-01-01
usd = "1.08"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tokentrail import toml_files
from tokentrail.prices.price import ALWAYS, EXCHANGE, LOWEST, NEVER, Exchange, Price, PriceError, PriceList, Step, lowered
from tokentrail.rates import RATES
from tokentrail.toml_files import FileError, currency, known, tables, text

__all__ = ["OWN", "parse", "read"]

OWN: Final = "own"
_DOLLAR: Final = "USD"
_RATES: Final = tuple(rate.name for rate in RATES)
_PRICE: Final = ("provider", "model", "from", "to", "currency", "batch", "steps", "note", *_RATES)
_EXCHANGE: Final = ("currency", "from", "usd")
_MOST: Final = Decimal(10) ** 7
"""A price times the most tokens of a call (10^12) fits Decimal(38, 18)."""


def read(path: Path, *, gaps: bool = False) -> PriceList:
    """Reads a price file. Raises `PriceError`, one sentence, for a file that cannot be read or used."""
    try:
        return toml_files.read(path, lambda written: parse(written, gaps=gaps))
    except FileError as error:
        raise PriceError(str(error)) from None


def parse(written: str, *, gaps: bool = False) -> PriceList:
    """Parses a price file. `gaps`: a model may have times without a price between two prices. A file of rates of exchange alone has no price.

    Raises `PriceError`, one sentence, for a file that cannot be used.
    """
    try:
        return _parse(written, gaps=gaps)
    except FileError as error:
        raise PriceError(str(error)) from None


def _parse(written: str, *, gaps: bool) -> PriceList:
    document = toml_files.document(written)
    known("the file", document, ("currency", "price", EXCHANGE))
    usual = currency("the file", document.get("currency", _DOLLAR))
    prices = [price for number, given in enumerate(tables(document, "price"), 1) for price in _prices(number, given, usual)]
    exchange = [_exchange(number, given) for number, given in enumerate(tables(document, EXCHANGE), 1)]
    if not prices and not exchange:
        raise FileError(f"there is no [[price]], and no [[{EXCHANGE}]]")
    _check_times(prices, gaps=gaps)
    _check_exchange(exchange)
    return PriceList(OWN, prices, exchange)


def _prices(number: int, given: Mapping[str, Any], usual: str) -> list[Price]:
    """Returns the prices of one table: those of a batch before those of any call, for each model."""
    where = f"price {number}"
    known(where, given, _PRICE)
    provider = text(where, "provider", given.get("provider"))
    names = given.get("model")
    models = [text(where, "model", name) for name in (names if isinstance(names, list) else [names])]
    if not models:
        raise FileError(f"{where} has no model")
    valid_from, valid_to = _time(where, "from", given.get("from", ALWAYS)), _time(where, "to", given.get("to", NEVER))
    if valid_from >= valid_to:
        raise FileError(f"{where} begins ({valid_from:%Y-%m-%d}) not before it ends ({valid_to:%Y-%m-%d})")
    rates = _rates(where, given)
    if not rates:
        raise FileError(f"{where} has no rate: it may have {', '.join(_RATES)}")
    in_batch = given.get("batch", {})
    if not isinstance(in_batch, dict):
        raise FileError(f"{where}: batch is a table of rates: batch = {{ input = 1.25, output = 5 }}")
    known(f"{where}, batch", in_batch, ("steps", *_RATES))
    kinds = [(True, rates | _rates(f"{where}, batch", in_batch))] if in_batch else []
    return [
        Price(
            provider=provider,
            model=model,
            patterns=("^" + ".*".join(map(re.escape, lowered(model).split("*"))) + "$",),
            rates=kind,
            valid_from=valid_from,
            valid_to=valid_to,
            batch=batch,
            currency=currency(where, given.get("currency", usual)),
            entry=number,
            note=text(where, "note", given.get("note", "-")).removeprefix("-"),
        )
        for model in models
        for batch, kind in (*kinds, (False, rates))
    ]


def _rates(where: str, given: Mapping[str, Any]) -> dict[str, Sequence[Step]]:
    rates: dict[str, list[Step]] = {name: [(LOWEST, _amount(where, name, given[name]))] for name in _RATES if name in given}
    steps = given.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(each, dict) for each in steps):
        raise FileError(f"{where}: steps is a list of tables: steps = [{{ above = 200000, input = 5 }}]")
    before = 0
    for step in steps:
        known(f"{where}, a step", step, ("above", *_RATES))
        above = step.get("above")
        if type(above) is not int or above <= before:
            raise FileError(f"{where}: each step has above, a number of input tokens larger than that of the step before")
        before = above
        for name in _RATES:
            if name in step:
                if name not in rates:
                    raise FileError(f"{where}: a step has {name}, and the price itself has none")
                rates[name].append((above, _amount(where, name, step[name])))
    return dict(rates)


def _amount(where: str, name: str, value: Any) -> Decimal:
    return toml_files.amount(where, name, value, _MOST)


def _time(where: str, name: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    else:
        raise FileError(f"{where}: {name} is {value!r}: write a date without quotes, such as 2026-01-01")
    if not ALWAYS <= moment <= NEVER:
        raise FileError(f"{where}: {name} is {value}: a time from {ALWAYS:%Y} to {NEVER:%Y}")
    return moment


def _check_times(prices: Sequence[Price], *, gaps: bool) -> None:
    """Raises `PriceError` if two prices of a model overlap, or if there is a time between them without a price."""
    models: dict[tuple[str, str, bool], list[Price]] = {}
    for price in prices:
        models.setdefault((price.provider, lowered(price.model), price.batch), []).append(price)
    for (provider, model, _), found in models.items():
        for before, after in pairwise(sorted(found, key=lambda each: each.valid_from)):
            who = f"{provider} {model}"
            if after.valid_from < before.valid_to:
                raise FileError(f"prices {before.entry} and {after.entry} of {who} overlap: both are valid on {after.valid_from:%Y-%m-%d %H:%M}")
            if after.valid_from > before.valid_to and not gaps:
                raise FileError(
                    f"{who} has no price from {before.valid_to:%Y-%m-%d %H:%M} to {after.valid_from:%Y-%m-%d %H:%M}, between the prices "
                    f"{before.entry} and {after.entry} (--gaps allows it)"
                )


def _exchange(number: int, given: Mapping[str, Any]) -> Exchange:
    where = f"rate {number}"
    known(where, given, _EXCHANGE)
    usd = _amount(where, "usd", given.get("usd"))
    if not usd:
        raise FileError(f"{where}: usd is 0")
    return Exchange(currency(where, given.get("currency")), _time(where, "from", given.get("from", ALWAYS)), usd)


def _check_exchange(rates: Sequence[Exchange]) -> None:
    """Raises `FileError` for a rate of the US dollar that is not 1, and for two rates of a currency from the same moment on."""
    seen: dict[tuple[str, datetime], int] = {}
    for number, rate in enumerate(rates, 1):
        if rate.currency == _DOLLAR and rate.usd != 1:
            raise FileError(f"rate {number}: a US dollar is worth 1 US dollar, and not {rate.usd}")
        other = seen.setdefault((rate.currency, rate.valid_from), number)
        if other != number:
            raise FileError(f"rates {other} and {number} of {rate.currency} are both valid from {rate.valid_from:%Y-%m-%d %H:%M} on")
