"""The borders of a budget: spent at its amount and not before, and no longer once its period has ended."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tokentrail import BudgetExceeded, track_tokens
from tokentrail.attribution import attribution
from tokentrail.budgets.guard import Guard, State


def knowing(spent: str, *, ends_in: timedelta = timedelta(days=1)) -> Guard:
    """A guard that has heard that so much of 10 is spent."""
    own = Guard(lambda _dsn, _names: {})
    own._states = {"b": State(Decimal(spent), Decimal(10), "EUR", datetime.now(timezone.utc) + ends_in)}
    own._fetched_at = time.monotonic()
    return own


@pytest.mark.parametrize("spent", ["10", "10.000001", "11"])
def test_at_its_amount_a_budget_holds_the_next_call(spent: str) -> None:
    own = knowing(spent)
    with track_tokens("chat", budget="b", over_budget="raise"), pytest.raises(BudgetExceeded) as raised:
        own.check(attribution.get())
    assert (raised.value.budget, raised.value.spent, raised.value.amount, raised.value.currency) == ("b", Decimal(spent), Decimal(10), "EUR")


@pytest.mark.parametrize(("spent", "ends_in"), [("9.999999", timedelta(days=1)), ("11", timedelta(0)), ("11", timedelta(days=-1))])
def test_below_its_amount_and_after_its_period_a_budget_holds_none(spent: str, ends_in: timedelta) -> None:
    own = knowing(spent, ends_in=ends_in)
    with track_tokens("chat", budget="b", over_budget="raise"):
        own.check(attribution.get())
