"""A cost reads as people write it: without zeros at its end, the same amount to the last digit, whatever context of decimals the application has."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from tests.support.calls import a_request, an_answer, call
from tokentrail import track_tokens
from tokentrail.attribution import Cost, pricing
from tokentrail.money import plain
from tokentrail.testing import Usages


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0.004200000000000000", "0.0042"),
        ("0E-18", "0"),
        ("1E+2", "100"),
        ("100.00", "100"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        ("-3.50", "-3.5"),
    ],
)
def test_zeros_at_the_end_are_left_out(amount: str, written: str) -> None:
    with localcontext() as context:
        context.prec = 3
        assert str(plain(Decimal(amount))) == written
    assert plain(Decimal(amount)) == Decimal(amount)


def test_so_does_what_a_block_has_spent(tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "cost_of", lambda _usage: Cost("priced", "USD", Decimal("0.002100000000000000")))
    with track_tokens("chat") as spent:
        call(request=a_request(), answer=an_answer())
        call()
    assert (str(spent.cost), spent.costs, spent.calls) == ("0.0042", {"USD": Decimal("0.0042")}, 2)
