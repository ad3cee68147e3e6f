"""What a block spent costs the same in the process as in the ledger, to the last digit: all recordings, any model at any time, and prices of one's own."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.calls import a_request, an_answer, call
from tests.support.ledger_rows import START_NS, Land, recorded
from tokentrail import track_tokens, use_prices
from tokentrail.attribution import Cost, Spent
from tokentrail.clickhouse.client import Client
from tokentrail.prices.files import parse
from tokentrail.prices.in_process import Prices
from tokentrail.prices.price import PriceError, PriceList
from tokentrail.prices.store import load
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

OURS = """
[[price]]
provider = "openai"
model = "gpt-4o*"
input = "2.123456789"
output = 8
cache_read = "0.000000000000000001"
reasoning = "3.3"
batch = { input = "1.1" }
steps = [{ above = 200000, input = "3.7", output = 6 }, { above = 400000, input = 9 }]

[[price]]
provider = "groq"
model = "*"
currency = "EUR"
hour = "1.20"
call = "0.005"
input = 1

[[price]]
provider = "*"
model = "*-20240229"
input = 5
"""


def compare(database: Client, land: Land, lists: Sequence[PriceList], usages: Sequence[Usage]) -> list[Cost]:
    """Lands the usages, and compares the cost of each with what the process says. Returns the costs."""
    for each in lists:
        load(database, each)
    land(*(recorded(usage, by="w1", seq=seq) for seq, usage in enumerate(usages, 1)))
    found = {row[0]: tuple(row[1:]) for row in database.query("SELECT seq, cost_state, currency, cost FROM usage_cost").rows}
    prices = Prices(lists)
    costs = list(map(prices.cost_of, usages))
    for seq, (usage, cost) in enumerate(zip(usages, costs, strict=True), 1):
        state, currency, amount = found[seq]
        stated = cost.state, cost.currency if cost.amount is not None else currency, cost.amount
        assert stated == (state, currency, None if amount is None else Decimal(str(amount))), usage
    return costs


def usage(seq: int = 1, **fields: object) -> Usage:
    given: dict[str, object] = {"provider": "openai", "request_model": "gpt-4o-mini", "response_model": "gpt-4o-mini-2024-07-18", "endpoint": "chat"}
    given |= {"input_tokens": 1000, "output_tokens": 100, "input_source": "reported", "output_source": "reported", "duration_ns": 0}
    given |= {"key": f"chat::{seq:032x}:{START_NS + seq:019d}", "key_time": START_NS + seq, "ts": START_NS + seq}
    return Usage(**(given | fields))  # type: ignore[arg-type]


def test_prices_of_ones_own(database: Client, land: Land) -> None:
    kinds: list[dict[str, object]] = [
        {},
        {"cache_read_tokens": 700, "reasoning_tokens": 33},
        {"input_tokens": 200_000},
        {"input_tokens": 200_001},
        {"input_tokens": 400_001, "cache_read_tokens": 500_000},
        {"endpoint": "batch"},
        {"input_tokens": None, "output_tokens": None, "input_source": "unknown", "output_source": "unknown"},
        {"output_tokens": None, "output_source": "unknown"},
        {"input_tokens": -1000, "output_tokens": -100, "calls": -1, "cache_read_tokens": -700, "corrects_key": "k"},
        {"provider": "groq", "duration_ns": 1_234_567_890},
        {"provider": "groq", "duration_ns": 500, "input_tokens": None, "output_tokens": None},
        {"provider": "groq", "duration_ns": 12_345, "output_tokens": 0},
        {"provider": "anthropic", "response_model": "Claude-3-Opus-20240229"},
        {"provider": "anthropic", "response_model": "claude-3-opus-20240229\\n"},
        {"provider": "anthropic", "response_model": "", "request_model": ""},
        {"response_model": "GPT-4O-\u0130", "request_model": ""},
    ]
    costs = compare(database, land, [parse(OURS)], [usage(seq, **fields) for seq, fields in enumerate(kinds, 1)])
    assert {cost.state for cost in costs} == {"priced", "partly", "unpriced", "uncounted"}
    assert {cost.currency for cost in costs} == {"USD", "EUR", ""}


def test_all_recordings_and_any_model_at_any_time(database: Client, land: Land) -> None:
    pytest.importorskip("genai_prices", reason="genai-prices needs Python 3.11")
    from tests.clickhouse.test_costs_are_those_of_the_list import any_calls
    from tests.clickhouse.test_costs_are_those_of_the_list import recorded as recorded_cases
    from tokentrail.prices.public import public_list

    usages = [
        usage(
            seq,
            **{"input_tokens": None, "output_tokens": None, **case.counts},
            provider=case.provider,
            request_model=case.request_model,
            response_model=case.response_model,
            endpoint="batch" if case.batch else "chat",
            ts=int(case.at.timestamp()) * 10**9 + seq,
            key_time=int(case.at.timestamp()) * 10**9 + seq,
            key=f"chat::{seq:032x}:{int(case.at.timestamp()) * 10**9 + seq:019d}",
        )
        for seq, case in enumerate([*recorded_cases(), *any_calls(1500)], 1)
    ]
    costs = compare(database, land, [parse(OURS), public_list()], usages)
    assert sum(cost.state == "priced" for cost in costs) > 900


@pytest.fixture
def usages() -> Iterator[Usages]:
    with collect_usages() as collected:
        yield collected
    use_prices()


def test_a_block_knows_what_it_spent(usages: Usages, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(OURS)
    with track_tokens("chat") as before:
        call()
    assert (before.cost, before.currency, before.costs, before.unpriced_calls) == (None, "", {}, 0)
    use_prices(ours)
    with track_tokens("chat") as outer:
        with track_tokens("query") as inner:
            call(answer=an_answer(cache_read_tokens=None))
            assert inner.cost == (11 * Decimal("2.123456789") + 7 * 8) / 1_000_000
            assert inner.currency == "USD"
        call(request=a_request(provider="x", model="y"), answer=an_answer(model="y"))
        assert (outer.cost, outer.costs, outer.unpriced_calls, inner.unpriced_calls) == (inner.cost, {"USD": inner.cost}, 1, 0)
        call(request=a_request(provider="groq", model="y"), answer=an_answer(model="y", output_tokens=0))
        assert (outer.cost, outer.currency, outer.costs.keys()) == (None, "", {"USD", "EUR"})
    assert len(usages.recorded) == 4


def test_a_block_counts_to_the_last_digit_whatever_decimals_the_application_uses(usages: Usages, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(OURS)
    use_prices(ours)
    with decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])), track_tokens("chat") as spent:
        call(answer=an_answer(cache_read_tokens=None))
        call(answer=an_answer(cache_read_tokens=None))
    assert spent.costs == {"USD": 2 * (11 * Decimal("2.123456789") + 7 * 8) / 1_000_000}
    large = Spent()
    for amount in ("98765432109876543210.123456789012345678", "0.000000000000000001"):
        large.add(usage(), Cost("priced", "VND", Decimal(amount)))
    assert str(large.cost) == "98765432109876543210.123456789012345679"


def test_lists_that_cannot_be_used_leave_the_former_in_use(usages: Usages, tmp_path: Path) -> None:
    ours, wrong = tmp_path / "ours.toml", tmp_path / "wrong.toml"
    ours.write_text(OURS)
    wrong.write_text("price = 5")
    use_prices(ours)
    for path in (wrong, tmp_path / "absent.toml"):
        with pytest.raises(PriceError):
            use_prices(path)
    with track_tokens("chat") as spent:
        call()
    assert spent.cost is not None


def test_letters_beyond_the_alphabet_fit_as_they_are_written(database: Client, land: Land) -> None:
    """ClickHouse's `lower` knows A to Z alone: a pattern that Python had lowered would fit no model with an É."""
    ours = parse('[[price]]\nprovider = "openai"\nmodel = "MODÈLE-É*"\ninput = 1\noutput = 1')
    names = ("MODÈLE-É1", "modÈle-É2", "Modèle-é3")
    usages = [usage(seq, request_model=name, response_model=name) for seq, name in enumerate(names, 1)]
    assert [cost.state for cost in compare(database, land, [ours], usages)] == ["priced", "priced", "unpriced"]
