"""What could explain a difference in money where calls are there on both sides: discounts, cached tokens at another price, calls without a price."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.reconciling.compare import Cell
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.finding import Figure, number
from tokentrail.wording import counted, of_number

__all__ = ["Charge", "charges_of", "explain_cost"]

BATCH_SHARE: Final = Decimal("0.5")
"""What results of batches cost at OpenAI, Anthropic, Google, Groq and Mistral, of the price of other calls."""
SHARES_OF_INPUT: Final = tuple(Decimal(text) for text in ("0", "0.1", "0.2", "0.25", "0.5", "0.75", "1", "1.25", "2"))
"""What cached tokens cost of the price of other input, at the providers that have a price for them."""
_NEAR: Final = Decimal("0.02")
_MILLION: Final = 1_000_000
_CACHED: Final = {"cache_read": "cached input tokens", "cache_write": "input tokens written to a cache"}


@dataclass(frozen=True, slots=True)
class Charge:
    """What the ledger charges for a class of tokens: `rate` is for a million tokens, a call or an hour."""

    meter: str
    quantity: Decimal
    rate: Decimal
    cost: Decimal


def charges_of(client: Client, cell: Cell, currency: str, sides: Sides) -> list[Charge]:
    """Asks what the ledger charges for a cell."""
    place = cell.place
    parameters = {"from": f"{place.starts:%Y-%m-%d %H:%M:%S}", "to": f"{place.ends:%Y-%m-%d %H:%M:%S}", "providers": [place.provider]}
    where = [*sides.where]
    where += [f"{sides.project}={sides.of_ledger(place.project)}"] * bool(sides.project and place.project)
    where += [f"{sides.api_key}={sides.of_ledger(place.api_key)}"] * bool(sides.api_key and place.api_key)
    models = sorted(cell.counted.models)
    names = {"requested": sorted({request for request, _ in models}), "answered": sorted({response for _, response in models})}
    rows = answer(client, "reconcile_charges", {**parameters, **names, "currency": currency, "where": where}).dicts()
    return [Charge(row["meter"], Decimal(row["quantity"]), Decimal(row["unit_price"]), Decimal(row["cost"])) for row in rows]


def explain_cost(
    cell: Cell, figure: Figure, charges: Sequence[Charge], is_all: Callable[[Decimal], bool], *, tokens_equal: bool
) -> Iterator[tuple[str, bool]]:
    """Yields sentences, each with whether it accounts for the whole difference. `is_all`: whether a value is the difference."""
    equal = "tokens are equal, and " if tokens_equal else ""
    unpriced = cell.counted.facts["unpriced_calls"]
    if unpriced:
        have = of_number(unpriced, "has", "have")
        yield f"{unpriced:,} of {cell.counted.calls:,} calls {have} no price in the ledger: tokentrail prices update", False
    batch_calls = cell.counted.facts["batch_calls"]
    if figure.counted and is_all(figure.counted * (BATCH_SHARE - 1)):
        yield f"{equal}the bill is half of the ledger's cost: the price of batches, where the ledger has another one", True
        return
    if figure.stated and is_all(figure.stated * (1 - BATCH_SHARE)):
        yield f"{equal}the ledger's cost is half of the bill: the ledger takes the price of batches, and the bill another one", True
        return
    if batch_calls and figure.difference < 0:
        yield f"{counted(batch_calls, 'result')} of batches {'is' if batch_calls == 1 else 'are'} among the calls: their price may be lower", False
    yield from _cached(charges, is_all, equal)
    if figure.counted > 0 and figure.stated > 0:
        share = figure.stated / figure.counted
        what = "a discount" if share < 1 else "a surcharge (a service tier, a region, long contexts)"
        if tokens_equal or abs(share * 20 - round(share * 20)) < _NEAR:
            yield f"{equal}the bill is {number((share * 100).quantize(Decimal('0.01')))} % of the ledger's cost: {what}, or another price list", False


def _cached(charges: Sequence[Charge], is_all: Callable[[Decimal], bool], equal: str) -> Iterator[tuple[str, bool]]:
    """Looks for cached tokens that the bill charges at another share of the price of input."""
    inputs = sorted({charge.rate for charge in charges if charge.meter == "input"})
    for charge in charges:
        if charge.meter not in _CACHED or len(inputs) != 1 or not inputs[0]:
            continue
        for share in SHARES_OF_INPUT:
            other = charge.quantity * inputs[0] * share / _MILLION
            if other != charge.cost and is_all(other - charge.cost):
                now = number((charge.rate / inputs[0] * 100).quantize(Decimal("0.01")))
                sentence = f"{equal}the difference is what {number(charge.quantity)} {_CACHED[charge.meter]} cost at {number(share * 100)} % of the "
                yield f"{sentence}price of input, in place of {now} %", True
                return
