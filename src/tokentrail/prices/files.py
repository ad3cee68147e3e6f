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

[[rate]]                            # of exchange: kept in the table exchange_rates, for queries of your own; reports do not convert
currency = "EUR"
from = 2026-01-01
usd = "1.08"
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tokentrail.prices.price import ALWAYS, EXCHANGE, LOWEST, NEVER, Exchange, Price, PriceError, PriceList, Step
from tokentrail.rates import RATES
from tokentrail.wording import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["OWN", "parse", "read"]

OWN: Final = "own"
_RATES: Final = tuple(rate.name for rate in RATES)
_PRICE: Final = ("provider", "model", "from", "to", "currency", "batch", "steps", "note", *_RATES)
_EXCHANGE: Final = ("currency", "from", "usd")
_MOST: Final = Decimal(10) ** 7
_DIGITS: Final = 18
"""A price times the most tokens of a call (10^12) fits Decimal(38, 18)."""


def read(path: Path, *, gaps: bool = False) -> PriceList:
    """Reads a price file. Raises `PriceError`, one sentence, for a file that cannot be read or used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"{path} cannot be read: {error}") from None
    try:
        return parse(text, gaps=gaps)
    except PriceError as error:
        raise PriceError(f"{path}: {error}") from None


def parse(text: str, *, gaps: bool = False) -> PriceList:
    """Parses a price file. `gaps`: a model may have times without a price between two prices."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PriceError(f"this is no TOML: {error}") from None
    _known("file", document, ("currency", "price", EXCHANGE))
    currency = _currency("the file", document.get("currency", "USD"))
    prices = [price for number, given in enumerate(_tables(document, "price"), 1) for price in _prices(number, given, currency)]
    if not prices:
        raise PriceError("there is no [[price]]")
    _check_times(prices, gaps=gaps)
    return PriceList(OWN, prices, [_exchange(number, given) for number, given in enumerate(_tables(document, EXCHANGE), 1)])


def _tables(document: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    tables = document.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise PriceError(f"{name} is a table: write [[{name}]]")
    return tables


def _known(where: str, given: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise PriceError(f"{where} has {name!r}, which is not known.{did_you_mean(name, names)} It may have {', '.join(names)}")


def _prices(number: int, given: Mapping[str, Any], currency: str) -> list[Price]:
    """Returns the prices of one table: those of a batch before those of any call, for each model."""
    where = f"price {number}"
    _known(where, given, _PRICE)
    provider = _text(where, "provider", given.get("provider"))
    names = given.get("model")
    models = [_text(where, "model", name) for name in (names if isinstance(names, list) else [names])]
    if not models:
        raise PriceError(f"{where} has no model")
    valid_from, valid_to = _time(where, "from", given.get("from", ALWAYS)), _time(where, "to", given.get("to", NEVER))
    if valid_from >= valid_to:
        raise PriceError(f"{where} begins ({valid_from:%Y-%m-%d}) not before it ends ({valid_to:%Y-%m-%d})")
    rates = _rates(where, given)
    if not rates:
        raise PriceError(f"{where} has no rate: it may have {', '.join(_RATES)}")
    in_batch = given.get("batch", {})
    if not isinstance(in_batch, dict):
        raise PriceError(f"{where}: batch is a table of rates: batch = {{ input = 1.25, output = 5 }}")
    _known(f"{where}, batch", in_batch, ("steps", *_RATES))
    kinds = [(True, rates | _rates(f"{where}, batch", in_batch))] if in_batch else []
    return [
        Price(
            provider=provider,
            model=model,
            patterns=("^" + ".*".join(map(re.escape, model.lower().split("*"))) + "$",),
            rates=kind,
            valid_from=valid_from,
            valid_to=valid_to,
            batch=batch,
            currency=_currency(where, given.get("currency", currency)),
            entry=number,
            note=_text(where, "note", given.get("note", "-")).removeprefix("-"),
        )
        for model in models
        for batch, kind in (*kinds, (False, rates))
    ]


def _rates(where: str, given: Mapping[str, Any]) -> dict[str, Sequence[Step]]:
    rates: dict[str, list[Step]] = {name: [(LOWEST, _amount(where, name, given[name]))] for name in _RATES if name in given}
    steps = given.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(each, dict) for each in steps):
        raise PriceError(f"{where}: steps is a list of tables: steps = [{{ above = 200000, input = 5 }}]")
    before = 0
    for step in steps:
        _known(f"{where}, a step", step, ("above", *_RATES))
        above = step.get("above")
        if type(above) is not int or above <= before:
            raise PriceError(f"{where}: each step has above, a number of input tokens larger than that of the step before")
        before = above
        for name in _RATES:
            if name in step:
                if name not in rates:
                    raise PriceError(f"{where}: a step has {name}, and the price itself has none")
                rates[name].append((above, _amount(where, name, step[name])))
    return dict(rates)


def _amount(where: str, name: str, value: Any) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        raise PriceError(f"{where}: {name} is {value!r}: write an amount, such as 2.50")
    if not 0 <= amount < _MOST:
        raise PriceError(f"{where}: {name} is {value}: an amount from 0 to {_MOST:,}")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _DIGITS:
        raise PriceError(f"{where}: {name} is {value}: at most {_DIGITS} digits after the point")
    return amount


def _text(where: str, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PriceError(f"{where}: {name} is {value!r}: write a text" if value is not None else f"{where} has no {name}")
    return value.strip()


def _currency(where: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise PriceError(f"{where}: currency is {value!r}: write three letters, such as USD")
    return value


def _time(where: str, name: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    else:
        raise PriceError(f"{where}: {name} is {value!r}: write a date without quotes, such as 2026-01-01")
    if not ALWAYS <= moment <= NEVER:
        raise PriceError(f"{where}: {name} is {value}: a time from {ALWAYS:%Y} to {NEVER:%Y}")
    return moment


def _check_times(prices: Sequence[Price], *, gaps: bool) -> None:
    """Raises `PriceError` if two prices of a model overlap, or if there is a time between them without a price."""
    models: dict[tuple[str, str, bool], list[Price]] = {}
    for price in prices:
        models.setdefault((price.provider, price.model.lower(), price.batch), []).append(price)
    for (provider, model, _), found in models.items():
        for before, after in pairwise(sorted(found, key=lambda each: each.valid_from)):
            who = f"{provider} {model}"
            if after.valid_from < before.valid_to:
                raise PriceError(f"prices {before.entry} and {after.entry} of {who} overlap: both are valid on {after.valid_from:%Y-%m-%d %H:%M}")
            if after.valid_from > before.valid_to and not gaps:
                raise PriceError(
                    f"{who} has no price from {before.valid_to:%Y-%m-%d %H:%M} to {after.valid_from:%Y-%m-%d %H:%M}, between the prices "
                    f"{before.entry} and {after.entry} (--gaps allows it)"
                )


def _exchange(number: int, given: Mapping[str, Any]) -> Exchange:
    where = f"rate {number}"
    _known(where, given, _EXCHANGE)
    usd = _amount(where, "usd", given.get("usd"))
    if not usd:
        raise PriceError(f"{where}: usd is 0")
    return Exchange(_currency(where, given.get("currency")), _time(where, "from", given.get("from", ALWAYS)), usd)
