"""Price lists in ClickHouse: each load is a new version, and the latest version of each source counts. Nothing is changed or deleted."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.errors import ClickHouseError
from tokentrail.ledger.query import answer
from tokentrail.prices.files import OWN
from tokentrail.prices.price import PriceError, PriceList, rows

__all__ = ["Loaded", "load", "loaded"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A list that was loaded, and the numbers of its prices and exchange rates."""

    source: str
    prices: int
    rates: int


def load(client: Client, prices: PriceList) -> Loaded:
    """Loads a list as the new version of its source. Raises `PriceError` for a list that ClickHouse cannot use, before anything is written.

    A list without prices, or without rates of exchange, leaves those of the former list in force.
    """
    _check_patterns(client, prices)
    source = _kind_of(prices.source)
    version = _next_version(client, source)
    new = [{"source": source, "version": version, **row} for row in rows(prices.prices)]
    rates = [
        {
            "source": source,
            "version": version,
            "currency": each.currency,
            "valid_from": int(each.valid_from.timestamp()),
            "usd": str(each.usd),
        }
        for each in prices.exchange
    ]
    if rates:
        client.insert_json("exchange_rates", rates)
    if new:
        client.insert_json("prices", new)
    return Loaded(prices.source, len(prices.prices), len(rates))


def _next_version(client: Client, source: str) -> int:
    """Returns a version later than all of the source, also where the clock of this machine is behind the one that wrote the last."""
    tables = ("prices", "exchange_rates")
    former = [client.query(f"SELECT max(version) FROM {table} WHERE source = {{source:String}}", {"source": source}).rows[0][0] for table in tables]
    return max(time.time_ns() // 1_000_000, *(int(each) + 1 for each in former))


def _kind_of(source: str) -> str:
    """Returns the source without the version of its package: a newer list of the same source replaces the former one."""
    return source if source == OWN else source.partition(" ")[0]


def loaded(client: Client) -> list[dict[str, Any]]:
    """Returns the latest list of each source."""
    return answer(client, "price_lists").dicts()


def _check_patterns(client: Client, prices: PriceList) -> None:
    """Raises `PriceError` for an expression that ClickHouse does not read: the view of costs would fail for everybody."""
    patterns = sorted({pattern for price in prices.prices for pattern in (*price.patterns, *price.excluded)})
    try:
        _match(client, patterns)
    except ClickHouseError:
        for pattern in patterns:
            try:
                _match(client, [pattern])
            except ClickHouseError as error:
                raise PriceError(f"the expression {pattern!r} of {prices.source} is none that ClickHouse reads: {_reason(error)}") from None
        raise


def _match(client: Client, patterns: list[str]) -> None:
    client.query("SELECT countIf(match('', pattern)) FROM (SELECT arrayJoin({patterns:Array(String)}) AS pattern)", {"patterns": patterns})


def _reason(error: ClickHouseError) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
