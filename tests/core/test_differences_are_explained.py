"""What could explain a difference between bill and ledger is looked for by itself, and said in words with figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.bills import DAY, MODEL, NOW
from tokentrail.reconciling.cells import Billed
from tokentrail.reconciling.compare import Cell, Compared
from tokentrail.reconciling.counted import Counted
from tokentrail.reconciling.explain import explain
from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.money import Charge
from tokentrail.reconciling.tolerance import parse

TOLERANCE = parse("0.1%,0.01 of money")
HERE = Place("openai-usage", DAY, DAY + timedelta(days=1), "openai", MODEL)
CACHED = [Charge("input", Decimal(600_000), Decimal(2), Decimal("1.2")), Charge("cache_read", Decimal(400_000), Decimal(1), Decimal("0.4"))]


def figures(tokens: int, calls: int = 0) -> dict[str, Decimal]:
    return {"input_tokens": Decimal(tokens), "requests": Decimal(calls)}


def money(amount: str) -> dict[str, Decimal]:
    return {"cost USD": Decimal(amount)}


def cell(
    billed: Mapping[str, Decimal], counted: Mapping[str, Decimal], *, place: Place = HERE, facts: Mapping[str, int] | None = None, **more: Any
) -> Cell:
    known = Counted(dict(counted))
    known.facts |= dict(facts or {})
    return Cell(place, Billed(dict(billed), **more), known)


def said(*cells: Cell, charges: Sequence[Charge] = (), at: Place | None = None) -> list[str]:
    """What is said of the first cell that differs, or of a place."""
    compared = Compared(cells={each.place: each for each in cells})
    for each in cells:
        names = each.billed.figures or each.counted.figures
        found = [Figure(name, each.billed.figures.get(name, Decimal(0)), each.counted.figures.get(name, Decimal(0))) for name in names]
        if differing := [figure for figure in found if not TOLERANCE.allows(figure)]:
            compared.findings.append(Finding(each.place, differing))
    findings = explain(compared, TOLERANCE, lambda _cell, _currency: charges, NOW)
    return list(next(each for each in findings if at is None or each.place == at).explanations)


def other_day(days: int) -> Place:
    return replace(HERE, starts=HERE.starts + timedelta(days=days), ends=HERE.ends + timedelta(days=days))


def test_calls_without_tracking_of_a_whole_model() -> None:
    assert said(cell(figures(1200, 10), {}, parts={("key", "key_b"): figures(1200, 10)})) == [
        f"the ledger has no call of {MODEL} there: calls without tracking, 1,200 input tokens in 10 requests, of key key_b"
    ]


def test_a_key_that_the_ledger_does_not_know() -> None:
    place = replace(HERE, api_key="key_b")
    known = cell(figures(10, 1), figures(10, 1), place=replace(HERE, api_key="key_a"))
    assert said(known, cell(figures(1200, 10), {}, place=place), at=place) == [
        "the ledger knows no key key_b: calls without tracking, 1,200 input tokens in 10 requests"
    ]


def test_the_one_key_or_project_that_makes_up_the_difference() -> None:
    parts = {("key", "a"): figures(700), ("key", "b"): figures(300), ("project", "p"): figures(1000)}
    assert said(cell(figures(1000, 9), figures(700, 6), parts=parts))[0] == (
        "this is exactly what key b has used (300 input tokens): calls without tracking"
    )


def test_the_edge_of_a_time_zone() -> None:
    cells = [cell(figures(1000), figures(1100)), cell(figures(900), figures(800), place=other_day(1))]
    assert said(*cells)[0] == (
        "2026-11-19, the interval after, differs by the opposite +100 input tokens: calls at the edge of a day, or a report of another time zone"
    )
    days = [cell(figures(1000 + off), figures(1000), place=other_day(day)) for day, off in enumerate((-300, 100, 200))]
    assert said(*days)[0] == "the differences of neighbouring days cancel each other: a report of another time zone"
    alone = [cell(figures(1000, 9), figures(1100, 9)), cell(figures(900, 8), figures(700, 8), place=other_day(1))]
    assert not said(*alone)


def test_one_model_under_two_names() -> None:
    place = replace(HERE, model="gpt-4o-mini")
    assert said(cell(figures(500, 4), {}), cell({}, figures(500, 4), place=place), at=place)[0] == (
        f"{MODEL} differs by the opposite +500 input tokens: one model under two names, of the bill and of the ledger"
    )


def test_estimates_streams_and_calls_without_counts() -> None:
    facts = {"estimated_calls": 3, "estimated_input_tokens": 40, "estimated_output_tokens": 2, "partial_calls": 1, "partial_output_tokens": 7}
    assert said(cell(figures(1000), figures(900, 9), facts=facts | {"unknown_calls": 1})) == [
        "3 of 9 calls are estimates, with 42 tokens",
        "1 stream was left before the end, with 7 output tokens in the ledger: providers bill what they have generated",
        "of 1 call the tokens are not known: they failed, or were left before any count",
    ]


def test_requests_that_were_repeated_and_calls_whose_outcome_is_not_known() -> None:
    facts = {"retries": 2, "error_calls": 1}
    assert said(cell({"requests": Decimal(12)}, {"requests": Decimal(10)}, facts=facts)) == [
        "2 requests were repeated: a request whose answer was lost may be billed",
        "1 call ended with an error: what came of such a call at the provider is not known",
    ]
    assert not said(cell({"requests": Decimal(8)}, {"requests": Decimal(10)}, facts=facts)), "repeated requests make no bill smaller"


def test_batches_at_half_the_price() -> None:
    costs = replace(HERE, source="openai-costs")
    equal = cell(figures(1000, 10), figures(1000, 10))
    assert said(equal, cell(money("5"), money("10") | figures(0, 10), place=costs))[0] == (
        "tokens are equal, and the bill is half of the ledger's cost: the price of batches, where the ledger has another one"
    )
    assert said(cell(money("10"), money("5") | figures(0, 10), place=costs))[0] == (
        "the ledger's cost is half of the bill: the ledger takes the price of batches, and the bill another one"
    )


def test_cached_tokens_at_another_share_of_the_price() -> None:
    """400,000 cached tokens at a tenth of 2 USD a million, in place of the half: 0.32 USD less."""
    assert said(cell(money("1.28"), money("1.6") | figures(0, 10)), charges=CACHED)[0] == (
        "the difference is what 400,000 cached input tokens cost at 10 % of the price of input, in place of 50 %"
    )


def test_a_discount_of_any_size_and_calls_without_a_price() -> None:
    assert said(cell(money("8.5"), money("10") | figures(0, 10), facts={"unpriced_calls": 1})) == [
        "1 of 10 calls has no price in the ledger: tokentrail prices update",
        "the bill is 85 % of the ledger's cost: a discount, or another price list",
    ]


def test_a_bill_that_has_nothing_there() -> None:
    assert said(cell({}, figures(10, 1))) == [
        f"the bill has nothing of {MODEL} there: another account or organisation, an incomplete report, or a provider that bills it elsewhere"
    ]


def test_a_day_that_has_just_ended_may_be_late() -> None:
    late = replace(HERE, starts=NOW - timedelta(days=2), ends=NOW - timedelta(days=1))
    assert said(cell(figures(10), figures(9, 1), place=late)) == ["the interval ended less than two days ago: reports and records may be late"]


@pytest.mark.parametrize("size", [1, 10**15])
def test_what_is_certain_comes_first_at_any_size(size: int) -> None:
    parts = {("key", "a"): figures(7 * size), ("key", "b"): figures(3 * size)}
    found = said(cell(figures(10 * size), figures(7 * size, 9), parts=parts, facts={"estimated_calls": 1, "estimated_input_tokens": 1}))
    assert found[0].startswith("this is exactly what key b has used")
    assert found[1].startswith("1 of 9 calls is an estimate")
