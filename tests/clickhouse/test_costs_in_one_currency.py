"""Costs in one currency are those of plain Python, by the rate at the time of each call; a call before the first rate is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.clickhouse.test_budgets_state_what_is_spent import PRICES, START, money
from tests.clickhouse.test_questions_are_answered import CALLS
from tests.support.ledger_rows import Land
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.ledger.query import QueryError, answer, read
from tokentrail.ledger.values import parse_parameters
from tokentrail.prices.files import parse
from tokentrail.prices.price import PriceError
from tokentrail.prices.store import load


@pytest.fixture
def priced(database: Client, land: Land) -> Client:
    land(*(call.row() for call in CALLS))
    load(database, parse(PRICES))
    return database


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_each_cost_is_converted_at_its_time(priced: Client, currency: str) -> None:
    expected: dict[str, Decimal] = {}
    for call in CALLS:
        cost = money(call, currency)
        if cost is not None:
            expected[call.tenant] = expected.get(call.tenant, Decimal(0)) + cost
    found = answer(priced, "cost", {"by": "tenant_id", "currency": currency}).dicts()
    assert {row["name"]: row["cost"] for row in found if row["currency"] == currency} == expected
    assert {row["currency"] for row in found} == {currency, ""}
    charged = answer(priced, "charges", {"currency": currency}).dicts()
    assert sum(row["cost"] for row in charged) == sum(expected.values())
    assert [row["calls_without_rate"] for row in answer(priced, "currencies", {"currency": currency}).dicts()] == [0, 0]


def test_without_a_currency_each_price_has_its_own(priced: Client) -> None:
    found = {row["currency"]: row["cost"] for row in answer(priced, "cost", {"by": "environment"}).dicts()}
    assert found["USD"] == sum(money(call, "USD") or 0 for call in CALLS if call.provider == "openai")
    assert found["EUR"] == sum(money(call, "EUR") or 0 for call in CALLS if call.provider == "anthropic")
    assert found[""] is None


def test_a_call_before_the_first_rate_is_refused(priced: Client) -> None:
    load(priced, parse(f'[[rate]]\ncurrency = "EUR"\nusd = 2\nfrom = {START:%Y-%m-%d}\n'))
    for question in ("cost", "charges"):
        with pytest.raises(ClickHouseError, match="no rate of exchange at the time of a call: tokentrail query currencies names it"):
            answer(priced, question, {"currency": "USD"})
    before = sum(
        money(call, "EUR") is not None and call.provider == "anthropic" and f"{call.moment:%Y-%m-%d}" < f"{START:%Y-%m-%d}" for call in CALLS
    )
    (row,) = [row for row in answer(priced, "currencies", {"currency": "USD"}).dicts() if row["currency"] == "EUR"]
    assert row["calls_without_rate"] == before
    assert row["rates_from"].startswith(f"{START:%Y-%m-%d}")
    after = answer(priced, "cost", {"currency": "USD", "from": f"{START:%Y-%m-%d} 00:00:00"}).dicts()
    assert all(row["currency"] in ("USD", "") for row in after)


def test_rates_that_contradict_each_other_are_refused() -> None:
    rate = '[[rate]]\ncurrency = "EUR"\nusd = "1.25"\nfrom = 2026-01-01\n'
    for text, sentence in {
        rate * 2: "rates 1 and 2 of EUR are both valid from 2026-01-01 00:00 on",
        rate.replace("EUR", "USD"): "rate 1: a US dollar is worth 1 US dollar, and not 1.25",
        rate.replace("EUR", "euro"): "currency is 'euro': write three letters",
    }.items():
        with pytest.raises(PriceError, match=sentence):
            parse(text)


def test_what_is_no_currency_is_refused() -> None:
    for question in ("cost", "charges", "currencies"):
        with pytest.raises(QueryError, match=f"query {question}: currency is 'euro': write three letters, such as USD."):
            parse_parameters(read(question), {"currency": ["euro"]})
