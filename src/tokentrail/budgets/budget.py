"""A budget: an amount of tokens or money, for some usages, in a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tokentrail.ledger.times import parse_zone
from tokentrail.toml_files import FileError, amount, currency, known, text
from tokentrail.wording import did_you_mean

__all__ = ["FILTERS", "PERIODS", "Budget", "budget"]

FILTERS: Final = {
    "tenants": "tenant",
    "operations": "operation",
    "providers": "provider",
    "models": "model",
    "services": "service",
    "environments": "environment",
}
"""The filters of questions, each with the word for one value."""
PERIODS: Final = ("day", "week", "month", "quarter", "year")
_FIELDS: Final = ("name", *FILTERS.values(), "tokens", "money", "currency", "per", "timezone")
_MOST: Final = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a period. `currency` is empty for a budget in tokens; `only` has values for some of `FILTERS`, else all usages count."""

    name: str
    amount: Decimal
    period: str
    currency: str = ""
    timezone: str = "UTC"
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Returns the columns of the table `budgets`, without the version."""
        return {
            "name": self.name,
            "amount": str(self.amount),
            "period": self.period,
            "currency": self.currency,
            "timezone": self.timezone,
            **{name: list(self.only.get(name, ())) for name in FILTERS},
        }


def budget(where: str, given: Mapping[str, Any], *, zone: str = "UTC") -> Budget:
    """Makes a budget of a file's table, or of options. Raises `FileError`, one sentence, for what does not fit; `where` begins the sentence."""
    known(where, given, _FIELDS)
    name = text(where, "name", given.get("name"))
    where = f"{where} ({name})"
    if ("tokens" in given) == ("money" in given):
        raise FileError(f"{where} has {'tokens and money' if 'tokens' in given else 'no amount'}: write tokens = 1000000, or money = 50")
    kind = "tokens" if "tokens" in given else "money"
    found = amount(where, kind, given[kind], _MOST)
    if not found:
        raise FileError(f"{where}: {kind} is 0: write what may be spent")
    if kind == "tokens" and (found != found.to_integral_value() or "currency" in given):
        raise FileError(f"{where}: tokens are a whole number, without a currency")
    period = text(where, "per", given.get("per"))
    if period not in PERIODS:
        raise FileError(f"{where}: per is {period!r}.{did_you_mean(period, PERIODS)} It is one of {', '.join(PERIODS)}")
    zone = text(where, "timezone", given.get("timezone", zone))
    try:
        parse_zone(zone)
    except ValueError as error:
        raise FileError(f"{where}: {error}") from None
    only = {name: _values(where, word, given[word]) for name, word in FILTERS.items() if word in given}
    return Budget(name, found, period, currency(where, given.get("currency", "USD")) if kind == "money" else "", zone, only)


def _values(where: str, word: str, given: Any) -> tuple[str, ...]:
    """Returns the values of a filter: a text, or a list of texts. An empty text is what nobody stated."""
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(value, str) for value in values):
        raise FileError(f'{where}: {word} is a text or a list of texts: {word} = ["one", "other"]')
    return tuple(dict.fromkeys(values))
