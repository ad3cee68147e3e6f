"""Costs are what was billed: by answers that state their own bill, and in the example invoices of the FOCUS specification."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Land, recorded, usage
from tokentrail import focus
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.prices.files import parse
from tokentrail.prices.store import load
from tokentrail.testing import read_recordings
from tokentrail.usage import Usage

PRICES = """
# Anthropic: platform.claude.com/docs, about-claude/pricing; OpenAI: developers.openai.com/api/docs/pricing. OpenRouter passes them on.
[[price]]
provider = "openrouter"
model = "anthropic/claude-*haiku*"
input = 1
output = 5
cache_read = "0.10"
cache_write = "1.25"

[[price]]
provider = "openrouter"
model = "anthropic/claude-*sonnet*"
input = 3
output = 15
cache_read = "0.30"
cache_write = "3.75"

[[price]]
provider = "openrouter"
model = "openai/gpt-4o-mini"
input = "0.15"
output = "0.60"

[[price]]
provider = "openrouter"
model = "openai/gpt-5.6-sol"
input = 5
output = 30
cache_read = "0.50"
cache_write = "6.25"
"""
BILLED = {
    "openrouter-chat-4ebe59b397bb": "cost",
    "openrouter-chat-d469997f520a": "cost",
    "openrouter-chat-e7191b7e39ab": "cost",
    "openrouter-chat-2d84efefe459": "cost",
    "openrouter-chat-d8da44b617e8": "cost",
    "openrouter-responses-596b7eefbf5d": "cost",
    "openrouter-responses-eaba4651a626": "cost",
    "openrouter-chat-1436d8a6cdd4": "upstream_inference_cost",
    "openrouter-chat-86bfaba29a30": "upstream_inference_cost",
}
"""Recorded answers that state what they are billed: cached, written to a cache, reasoning, streamed. The last two were billed by OpenAI, with a key of
the caller's own, and OpenRouter has billed a search or nothing."""


def stated(body: bytes, name: str) -> Decimal:
    """What an answer says that it costs: the last number of the name."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    text = body.decode()
    found = [decoder.raw_decode(part.lstrip())[0] for part in text.split(f'"{name}":')[1:]]
    return Decimal(str([each for each in found if each is not None][-1]))


def test_a_call_costs_what_its_answer_says_it_is_billed(database: Client, land: Land) -> None:
    recordings = {each.id: each for each in read_recordings() if each.id in BILLED}
    assert recordings.keys() == BILLED.keys()
    bills: dict[int, Decimal] = {}
    for seq, (name, member) in enumerate(BILLED.items(), 1):
        recording = recordings[name]
        (expected,) = recording.expected_usages or ()
        fields: dict[str, Any] = {key: value for key, value in expected.items() if key in Usage.__struct_fields__ and value is not None}
        ts = START_NS + seq
        made = Usage(**fields | {"key": f"chat::{seq:032x}:{ts:019d}", "key_kind": "automatic", "key_time": ts, "ts": ts, "duration_ns": 0})
        land(recorded(made, by="w1", seq=seq))
        bills[seq] = stated(recording.body, member)
    load(database, parse(PRICES))
    found = database.query("SELECT seq, cost, cost_state FROM usage_cost ORDER BY seq").rows
    assert {seq: Decimal(str(cost)) for seq, cost, _ in found} == bills
    assert {state for _, _, state in found} == {"priced"}


def test_a_voice_conversation_costs_what_openai_reckons(database: Client, land: Land) -> None:
    """The worked example of developers.openai.com, api/docs/guides/voice-latency-cost: 90 seconds at 0.05 a minute, and a backend of 0.02."""
    load(
        database,
        parse(
            '[[price]]\nprovider = "openai"\nmodel = "gpt-live*"\nhour = 3\n'
            '[[price]]\nprovider = "openai"\nmodel = "gpt-5.6-luna"\ninput = 1\noutput = 4\n'
        ),
    )
    voice = {"provider": "openai", "request_model": "gpt-live", "response_model": "gpt-live-1", "duration_ns": 90 * 10**9}
    backend = {"provider": "openai", "request_model": "gpt-5.6-luna", "response_model": "gpt-5.6-luna", "duration_ns": 10**9}
    land(usage(seq=1, input_tokens=None, output_tokens=None, more=voice), usage(seq=2, input_tokens=8_000, output_tokens=3_000, more=backend))
    costs = {row["name"]: row["cost"] for row in answer(database, "cost").dicts()}
    assert costs == {"gpt-live-1": Decimal("0.075"), "gpt-5.6-luna": Decimal("0.02")}
    (whole,) = answer(database, "cost", {"by": "total"}).dicts()
    assert whole["cost"] == Decimal("0.095")


EXAMPLES = {
    "per_token_foundation_model_api": (
        ("solora-saturn-4.8", {"input": 5, "output": 25}, {"input_tokens": 8_400_000, "output_tokens": 2_100_000}),
        {"Input Tokens": ("42.00", "8.40", 8_400_000), "Output Tokens": ("52.50", "2.10", 2_100_000)},
    ),
    "multi_model_usage": (
        ("solora-atlas-5.4-mini", {"input": "0.75", "output": "4.5"}, {"input_tokens": 3_000_000, "output_tokens": 500_000}),
        {"Input Tokens": ("2.25", "3.00", 3_000_000), "Output Tokens": ("2.25", "0.50", 500_000)},
    ),
    "cached_tokens_via_csp_marketplace": (
        (
            "solora-neptune-5.0",
            {"input": 2, "output": 10, "cache_read": "0.2", "cache_write": "2.5"},
            {"input_tokens": 65_000_000, "output_tokens": 0, "cache_read_tokens": 50_000_000, "cache_write_tokens": 15_000_000},
        ),
        {"Cached Input Tokens": ("10.00", "50.00", 50_000_000), "Cache Write Tokens": ("37.50", "15.00", 15_000_000)},
    ),
}
"""Files of FOCUS_Spec, specification/data/ai_billing: a model, its prices per million and its tokens; cost, pricing and consumed quantity by meter."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_specification_is_exported_with_its_numbers(database: Client, land: Land, name: str) -> None:
    (model, rates, tokens), expected = EXAMPLES[name]
    load(database, parse(f'[[price]]\nprovider = "solora"\nmodel = "{model}"\n' + "".join(f'{rate} = "{price}"\n' for rate, price in rates.items())))
    counts = {key: value for key, value in tokens.items() if key not in ("input_tokens", "output_tokens")}
    more: dict[str, Any] = {"provider": "solora", "request_model": model, "response_model": model, **counts}
    land(usage(input_tokens=tokens["input_tokens"], output_tokens=tokens["output_tokens"], more=more))
    names = [column.name for column in focus.columns("1.4")]
    rows = [
        dict(zip(names, row, strict=True)) for row in focus.rows(answer(database, "charges", {"step": "month"}).dicts(), account="a", version="1.4")
    ]
    found = {row["SkuMeter"]: (row["BilledCost"], row["PricingQuantity"], row["ConsumedQuantity"]) for row in rows}
    assert found == {meter: tuple(map(Decimal, numbers)) for meter, numbers in expected.items()}
    for row in rows:
        assert row["PricingUnit"] == "1000000 Tokens"
        assert (row["ConsumedUnit"], row["ChargeFrequency"], row["ServiceSubcategory"]) == ("Tokens", "Usage-Based", "Generative AI")
        assert row["BilledCost"] == row["ListCost"] == row["ContractedCost"] == row["EffectiveCost"] == row["ListUnitPrice"] * row["PricingQuantity"]
