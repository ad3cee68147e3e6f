"""Prices of one's own: read from a file, valid in their time, before public ones; repricing moves no token, and what has no price is no 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Land, claimed, usage
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.prices.files import parse, read
from tokentrail.prices.price import ALWAYS, NEVER, PriceError, PriceList
from tokentrail.prices.store import load, loaded

HOUR = 3600 * 10**9
START = datetime.fromtimestamp(START_NS // 10**9, timezone.utc)
Costs = Callable[[], dict[int, tuple[Any, ...]]]


@pytest.fixture
def costs(database: Client) -> Costs:
    def read_costs() -> dict[int, tuple[Any, ...]]:
        rows = database.query("SELECT seq, cost_state, cost, currency, price_source FROM usage_cost").rows
        return {seq: tuple(others) for seq, *others in rows}

    return read_costs


def price(text: str) -> PriceList:
    return parse(f'[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\n{text}')


def test_each_class_of_tokens_has_its_rate(database: Client, land: Land, costs: Costs) -> None:
    load(
        database,
        price("input = 2\noutput = 8\ncache_read = 0.5\ncache_write = 3\ncache_write_1h = 5\nreasoning = 10\naudio_input = 20\nimage_output = 30"),
    )
    counts = {
        "cache_read_tokens": 100_000,
        "cache_write_tokens": 50_000,
        "cache_write_1h_tokens": 20_000,
        "audio_input_tokens": 10_000,
        "reasoning_tokens": 30_000,
        "image_output_tokens": 5_000,
        "audio_output_tokens": 7_000,
    }
    land(usage(input_tokens=1_000_000, output_tokens=200_000, more=counts))
    into = 840_000 * 2 + 100_000 * Decimal("0.5") + 30_000 * 3 + 20_000 * 5 + 10_000 * 20
    out = 165_000 * 8 + 30_000 * 10 + 5_000 * 30
    assert costs()[1] == ("priced", (into + out) / 1_000_000, "USD", "own")


def test_a_price_is_valid_in_its_time_alone(database: Client, land: Land, costs: Costs) -> None:
    one, two = (datetime.fromtimestamp((START_NS + hours * HOUR) // 10**9, timezone.utc).isoformat() for hours in (1, 2))
    text = f'[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\nfrom = {one}\nto = {two}\ninput = 1\noutput = 0\n'
    load(database, parse(text + text.replace(f"from = {one}\nto = {two}", f"from = {two}").replace("input = 1", "input = 4")))
    moments = {1: HOUR - 1, 2: HOUR, 3: 2 * HOUR - 1, 4: 2 * HOUR}
    land(*(usage(seq=seq, ts=START_NS + at, input_tokens=1_000_000) for seq, at in moments.items()))
    assert {seq: row[:2] for seq, row in costs().items()} == {1: ("unpriced", None), 2: ("priced", 1), 3: ("priced", 1), 4: ("priced", 4)}


@pytest.mark.parametrize(("begin", "end"), [(9, 18), (18, 9)], ids=["by day", "over midnight"])
def test_a_price_of_some_hours_holds_from_its_first_second_to_before_its_end(
    database: Client, land: Land, costs: Costs, begin: int, end: int
) -> None:
    daily = replace(price("input = 2\noutput = 0").prices[0], daily=(begin * 3600, end * 3600))
    always = price("input = 1\noutput = 0").prices[0]
    load(database, PriceList("own", [daily, always]))
    midnight = START_NS - START_NS % (24 * HOUR)
    moments = [0, 9 * HOUR - 1, 9 * HOUR, 18 * HOUR - 1, 18 * HOUR, 24 * HOUR - 1]
    land(*(usage(seq=seq, ts=midnight + at, input_tokens=1_000_000, output_tokens=0) for seq, at in enumerate(moments, 1)))
    within = (3, 4) if begin < end else (1, 2, 5, 6)
    assert {seq: row[1] for seq, row in costs().items()} == {seq: 2 if seq in within else 1 for seq in range(1, 7)}


def test_a_step_holds_for_all_tokens_of_a_larger_call(database: Client, land: Land, costs: Costs) -> None:
    load(database, price("input = 1\noutput = 2\nsteps = [{ above = 200000, input = 3, output = 6 }, { above = 400000, input = 9 }]"))
    land(*(usage(seq=seq, input_tokens=tokens, output_tokens=1000) for seq, tokens in enumerate((200_000, 200_001, 400_001), 1)))
    assert [row[1] for row in costs().values()] == [Decimal("0.202"), Decimal("0.606003"), Decimal("3.606009")]


def test_results_of_a_batch_have_the_rates_of_a_batch(database: Client, land: Land, costs: Costs) -> None:
    load(database, price("input = 2\noutput = 8\nbatch = { input = 1 }"))
    land(
        usage(seq=1, input_tokens=1_000_000, output_tokens=1_000_000),
        usage(seq=2, input_tokens=1_000_000, output_tokens=1_000_000, more={"endpoint": "batch"}),
    )
    assert [row[1] for row in costs().values()] == [10, 9]


def test_calls_and_hours_have_prices_too(database: Client, land: Land, costs: Costs) -> None:
    load(database, parse('currency = "EUR"\n[[price]]\nprovider = "*"\nmodel = "*"\ncall = "0.005"\nhour = "1.20"'))
    land(
        usage(seq=1, more={"duration_ns": 90 * 10**9}),
        usage(seq=2, input_tokens=None, output_tokens=None, source="unknown", more={"ended": "error", "duration_ns": 0}),
    )
    assert costs() == {1: ("partly", Decimal("0.035"), "EUR", "own"), 2: ("partly", Decimal("0.005"), "EUR", "own")}


def test_a_correction_takes_its_cost_back(database: Client, land: Land) -> None:
    load(database, price("input = 1\noutput = 1\ncache_read = 0.1\ncall = 1"))
    land(usage(seq=1, input_tokens=1000, output_tokens=10, more={"cache_read_tokens": 500}))
    taken = {"calls": -1, "corrects_key": "k", "cache_read_tokens": -500}
    land(claimed("correction", seq=2, input_tokens=-1000, output_tokens=-10, more=taken))
    assert database.query("SELECT sum(cost), sum(input_cost), sum(call_cost) FROM usage_cost").rows == [(0, 0, 0)]


def test_what_has_no_price_is_no_zero(database: Client, land: Land, costs: Costs) -> None:
    load(database, price("input = 1"))
    land(
        usage(seq=1, input_tokens=1_000_000, output_tokens=5),  # no rate of the output
        usage(seq=2, input_tokens=1_000_000, output_tokens=None, source="unknown"),
        usage(seq=3, input_tokens=None, output_tokens=None, source="unknown"),
        usage(seq=4, more={"response_model": "another", "request_model": "another"}),
        usage(seq=5, input_tokens=1_000_000, output_tokens=0),
    )
    assert {seq: row[:2] for seq, row in costs().items()} == {
        1: ("partly", 1),
        2: ("partly", 1),
        3: ("uncounted", None),
        4: ("unpriced", None),
        5: ("priced", 1),
    }
    parts = database.query(
        "SELECT seq, input_cost, output_cost, call_cost FROM usage_cost WHERE cost_state IN ('uncounted', 'unpriced') ORDER BY seq"
    )
    assert parts.rows == [(3, None, None, None), (4, None, None, None)]
    ((row),) = [row for row in answer(database, "cost", {"by": "provider"}).dicts() if row["currency"] == "USD"]
    assert (row["cost"], row["priced_calls"], row["partly_calls"], row["unpriced_calls"], row["uncounted_calls"]) == (3, 1, 2, 0, 1)
    assert {row["currency"]: row["calls"] for row in answer(database, "cost", {"by": "provider"}).dicts()} == {"USD": 4, "": 1}


def test_repricing_moves_no_token_and_the_latest_list_counts(database: Client, land: Land, costs: Costs) -> None:
    land(usage(seq=1, input_tokens=1_000_000, output_tokens=0))
    tokens = database.query("SELECT * FROM usage").rows
    assert costs()[1][0] == "unpriced"
    public = PriceList("genai-prices 1.0", price("input = 7\noutput = 1").prices)
    load(database, public)
    assert costs()[1] == ("priced", 7, "USD", "genai-prices")
    load(database, price("input = 5\noutput = 1"))
    assert costs()[1] == ("priced", 5, "USD", "own")
    load(database, price("input = 6\noutput = 1"))
    assert costs()[1] == ("priced", 6, "USD", "own")
    load(database, PriceList("genai-prices 2.0", price("input = 8\noutput = 1").prices))
    load(database, parse('[[price]]\nprovider = "groq"\nmodel = "*"\ninput = 1'))
    assert costs()[1] == ("priced", 8, "USD", "genai-prices")
    assert database.query("SELECT * FROM usage").rows == tokens
    assert {(row["source"], row["prices"], row["versions"]) for row in loaded(database)} == {("own", 1, 3), ("genai-prices", 1, 2)}


@pytest.mark.parametrize(
    ("pattern", "model", "fits"),
    [
        ("gpt-4o*", "GPT-4o-mini", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("*4o*", "gpt-4o-mini", True),
        ("gpt.4o", "gpt-4o", False),
        ("a+b (c)[d]\\\\e^$", "A+B (c)[d]\\e^$", True),
        ("模型*", "模型-1", True),
        ("МОДЕЛЬ-X", "МОДЕЛЬ-x", True),
        ("МОДЕЛЬ", "модель", False),
    ],
)
def test_a_model_is_named_by_characters_and_stars(database: Client, land: Land, costs: Costs, pattern: str, model: str, fits: bool) -> None:
    load(database, parse(f'[[price]]\nprovider = "openai"\nmodel = "{pattern}"\ninput = 1\noutput = 1'))
    land(usage(seq=1, more={"request_model": model, "response_model": model}))
    assert costs()[1][0] == ("priced" if fits else "unpriced")


def test_the_model_that_answered_is_priced_before_the_one_that_was_asked_for(database: Client, land: Land, costs: Costs) -> None:
    entry = '[[price]]\nprovider = "openai"\nmodel = "{}"\ninput = {}\noutput = 0\n'
    load(database, parse(entry.format("auto", 1) + entry.format("gpt-large", 2)))
    land(
        usage(seq=1, input_tokens=1_000_000, more={"request_model": "auto", "response_model": "gpt-large"}),
        usage(seq=2, input_tokens=1_000_000, more={"request_model": "auto", "response_model": "nobody-knows"}),
        usage(seq=3, input_tokens=1_000_000, more={"request_model": "gpt-large", "response_model": "auto"}),
    )
    assert {seq: row[1] for seq, row in costs().items()} == {1: 2, 2: 1, 3: 1}


def test_the_first_price_of_a_file_counts(database: Client, land: Land, costs: Costs) -> None:
    load(
        database,
        parse(
            '[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\ninput = 1\noutput = 1\n[[price]]\nprovider = "*"\nmodel = "*"\ninput = 9\noutput = 9'
        ),
    )
    land(usage(seq=1, input_tokens=1_000_000, output_tokens=0), usage(seq=2, input_tokens=1_000_000, output_tokens=0, more={"provider": "groq"}))
    assert [row[1] for row in costs().values()] == [1, 9]


def test_a_file_may_leave_out_what_is_usual() -> None:
    (each,) = price("input = 1").prices
    assert (each.valid_from, each.valid_to, each.currency, each.batch) == (ALWAYS, NEVER, "USD", False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = ", "this is no TOML"),
        ("", r"there is no \[\[price\]\]"),
        ("prices = []", "the file has 'prices', which is not known. Did you mean price?|file has 'prices'"),
        ("price = 5", r"price is a table: write \[\[price\]\]"),
        ('[[price]]\nmodel = "m"\ninput = 1', "price 1 has no provider"),
        ('[[price]]\nprovider = "p"\ninput = 1', "price 1 has no model"),
        ('[[price]]\nprovider = "p"\nmodel = "m"', "price 1 has no rate: it may have input, output"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninptu = 1', "price 1 has 'inptu', which is not known. Did you mean input?"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = -1', "input is -1: an amount from 0"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = "two"', "input is 'two': write an amount"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = true', "input is True: write an amount"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = nan', "write an amount"),
        (f'[[price]]\nprovider = "p"\nmodel = "m"\ninput = {"9" * 5000}', "this is no TOML"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nfrom = 0001-01-01T00:00:00+14:00', "a time from 1970 to 2106"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nto = 9999-12-31T23:59:59-12:00', "a time from 1970 to 2106"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsteps = [{ above = 99999999999999999999, input = 1 }]', "less than a trillion"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1e12', "an amount from 0 to 10,000,000"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = "0.0000000000000000001"', "at most 18 digits"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\ncurrency = "Euro"', "currency is 'Euro': write three letters"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nfrom = "2026"', "from is '2026': write a date without quotes"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nfrom = 2026-02-01\nto = 2026-02-01', "begins .2026-02-01. not before it ends"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nto = 2200-02-01', "a time from 1970 to 2106"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsteps = [{ above = 0, input = 1 }]', "each step has above"),
        (
            '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsteps = [{ above = 9, output = 1 }]',
            "a step has output, and the price itself has none",
        ),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsteps = 5', "steps is a list of tables"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nbatch = 5', "batch is a table of rates"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\n' * 2, "prices 1 and 2 of p m overlap: both are valid on 1970-01-01"),
        (
            '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nto = 2026-01-01\n[[price]]\nprovider = "p"\nmodel = "M"\ninput = 1\nfrom = 2026-02-01',
            "p m has no price from 2026-01-01 00:00 to 2026-02-01 00:00, between the prices 1 and 2",
        ),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\n[[rate]]\ncurrency = "EUR"\nusd = 0', "usd is 0"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\n[[rate]]\nusd = 1', "currency is None"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PriceError, match=sentence) as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("binary", "absent", "."):
        with pytest.raises(PriceError, match="cannot be read"):
            read(tmp_path / name)


def test_a_file_of_an_editor_that_marks_its_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_bytes(b'\xef\xbb\xbf[[price]]\r\nprovider = "p"\r\nmodel = "m"\r\ninput = 1\r\n')
    assert len(read(tmp_path / "prices.toml").prices) == 1


def test_a_list_counts_although_this_machines_clock_is_behind(database: Client, land: Land, costs: Costs, monkeypatch: pytest.MonkeyPatch) -> None:
    land(usage(seq=1, input_tokens=1_000_000, output_tokens=0))
    for amount in (5, 6, 7):
        load(database, price(f"input = {amount}\noutput = 1"))
        assert costs()[1][1] == amount
        monkeypatch.setattr("tokentrail.prices.store.time.time_ns", lambda: START_NS)


def test_gaps_may_be_allowed() -> None:
    text = '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nto = 2026-01-01\n[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nfrom = 2026-02-01'
    assert len(parse(text, gaps=True).prices) == 2


def test_an_expression_that_clickhouse_does_not_read_is_refused_and_nothing_is_loaded(database: Client) -> None:
    (good,) = price("input = 1").prices
    wrong = PriceList("own", [good, type(good)("openai", "m", ("(?!x)",), good.rates)])
    with pytest.raises(PriceError, match=r"the expression '\(\?!x\)' of own is none that ClickHouse reads"):
        load(database, wrong)
    assert loaded(database) == []
