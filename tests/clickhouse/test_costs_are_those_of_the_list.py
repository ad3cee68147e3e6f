"""What a usage costs is what genai-prices computes for it, call by call, to the last digit: recorded answers, and any model, time and counts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger_rows import Land, usage
from tokentrail.clickhouse.client import Client
from tokentrail.prices.public import public_list
from tokentrail.prices.store import load
from tokentrail.testing import read_recordings

genai_prices = pytest.importorskip("genai_prices", reason="genai-prices needs Python 3.11")
from genai_prices.data import providers  # noqa: E402 - after the skip
from genai_prices.types import Usage as Spent  # noqa: E402

PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "voyage": "voyageai",
    "x_ai": "x-ai",
}
RECORDED = {
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "claude_agent": "anthropic",
    "google_genai": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai_grpc": "x_ai",
}
"""The ledger's providers by those of the recordings, where they differ."""
COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_output_tokens": "output_audio_tokens",
    "image_input_tokens": "input_image_tokens",
    "image_output_tokens": "output_image_tokens",
}
RATES = (
    *("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_reasoning_mtok"),
    *("input_audio_mtok", "output_audio_mtok", "input_image_mtok", "output_image_mtok", "requests_kcount"),
)
NOW = datetime(2026, 11, 27, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BY_ID = {provider.id: provider for provider in providers}


@dataclass(frozen=True)
class Case:
    """A usage, as the ledger has it."""

    provider: str
    request_model: str
    response_model: str
    counts: dict[str, int]
    at: datetime
    batch: bool = False

    def row(self, seq: int) -> dict[str, Any]:
        more = {
            "provider": self.provider,
            "request_model": self.request_model or None,
            "response_model": self.response_model or None,
            "endpoint": "batch" if self.batch else "chat",
            **{name: value for name, value in self.counts.items() if name not in ("input_tokens", "output_tokens")},
        }
        ts = int((self.at - EPOCH).total_seconds()) * 10**9 + seq
        given, made = self.counts.get("input_tokens"), self.counts.get("output_tokens")
        return usage(seq=seq, ts=ts, input_tokens=given, output_tokens=made, more=more)

    def expected(self) -> Decimal | None:
        """What genai-prices says; None for a model without a price there."""
        by_ours = {each.id.replace("-", "_"): each for each in providers if each.id not in PROVIDERS.values()}
        provider = BY_ID[PROVIDERS[self.provider]] if self.provider in PROVIDERS else by_ours.get(self.provider)
        for name in filter(None, (self.response_model, self.request_model)):
            model = provider.find_model(name, all_providers=providers) if provider else None
            if model is None and self.provider == "zai":
                provider = BY_ID["zhipuai"]  # one provider of the ledger, two of the list
                model = provider.find_model(name, all_providers=providers)
            if model is not None:
                spent = Spent(**{COUNTS[name]: value for name, value in self.counts.items()})
                context = {"processing": "batch"} if self.batch else None
                own = any(model is each for each in provider.models)
                rates = vars(model.get_prices(self.at, context if own else None))
                if not any(rates.get(name) is not None for name in RATES):
                    return None  # by the second, or by the page; or without any price: genai-prices says 0
                return model.calc_price(spent, provider, genai_request_timestamp=self.at, price_context=context).total_price
        return None


def recorded() -> list[Case]:
    """The usages of all shipped recordings."""
    cases = []
    for recording in read_recordings():
        for number, expected in enumerate(recording.expected_usages or ()):
            counts = {name: expected[name] for name in COUNTS if expected.get(name) is not None}
            if counts.get("input_tokens") is None and counts.get("output_tokens") is None:
                continue
            models = expected.get("request_model") or "", expected.get("response_model") or ""
            at = datetime(2026, 11, 1, 12, number % 60, tzinfo=timezone.utc)
            cases.append(Case(RECORDED.get(recording.provider, recording.provider), *models, counts, at, batch=expected.get("endpoint") == "batch"))
    return cases


def any_calls(number: int) -> list[Case]:
    """Calls of any model of the list, at any time, with any counts that fit together."""
    chance = random.Random(20261127)
    ours = {theirs: own for own, theirs in PROVIDERS.items()} | {"zhipuai": "zai"}
    models = [(provider, model) for provider in providers for model in provider.models if "huggingface" not in provider.id]
    cases = []
    for _ in range(number):
        provider, model = chance.choice(models)
        given, made = chance.randrange(300_000), chance.randrange(20_000)
        written = chance.randrange(given // 4 + 1)
        counts = {
            "input_tokens": given,
            "output_tokens": made,
            "cache_read_tokens": chance.randrange(given // 4 + 1),
            "cache_write_tokens": written,
            "cache_write_1h_tokens": chance.randrange(written + 1),
            "reasoning_tokens": chance.randrange(made // 3 + 1),
            "audio_input_tokens": chance.randrange(given // 8 + 1),
            "audio_output_tokens": chance.randrange(made // 3 + 1),
            "image_input_tokens": chance.randrange(given // 8 + 1),
            "image_output_tokens": chance.randrange(made // 3 + 1),
        }
        some = {name: value for name, value in counts.items() if name in ("input_tokens", "output_tokens") or chance.random() < 0.4}
        if "cache_write_1h_tokens" in some:
            some["cache_write_tokens"] = written
        at = datetime(2023, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=chance.randrange(1419 * 86_400))
        name = model.id if chance.random() < 0.7 else model.id.upper()
        cases.append(Case(ours.get(provider.id, provider.id.replace("-", "_")), "", name, some, at, batch=chance.random() < 0.3))
    return cases


def compare(database: Client, land: Land, cases: Sequence[Case]) -> list[Case]:
    """Lands the usages and compares the cost of each. Returns the cases that have a price."""
    land(*(case.row(number) for number, case in enumerate(cases, 1)))
    found = {
        seq: (Decimal(str(cost)) if cost is not None else None, state)
        for seq, cost, state in database.query("SELECT seq, cost, cost_state FROM usage_cost").rows
    }
    priced = []
    for number, case in enumerate(cases, 1):
        try:
            expected = case.expected()
        except ValueError:  # subsets that are larger than their total
            continue
        cost, state = found[number]
        if expected is not None:
            assert cost is not None, (case, state)
            assert abs(cost - expected) < Decimal("1e-17"), (case, state, cost, expected)
        assert (state == "unpriced") == (expected is None), (case, state)
        priced += [case] if expected else []
    return priced


@pytest.fixture
def public(database: Client) -> Client:
    load(database, public_list())
    return database


def test_recorded_usages_cost_what_the_list_says(public: Client, land: Land) -> None:
    cases = recorded()
    priced = compare(public, land, cases)
    assert len(priced) > 100
    assert len({case.provider for case in priced}) >= 8


def test_any_model_at_any_time(public: Client, land: Land) -> None:
    priced = compare(public, land, any_calls(3000))
    assert len(priced) > 1500
    assert sum(case.batch for case in priced) > 300


def test_everything_of_the_list_is_converted() -> None:
    converted = public_list()
    assert not converted.left_out
    priced = {model.id for each in providers for model in each.models if any(vars(model.get_prices(NOW)).get(name) is not None for name in RATES)}
    assert {price.model for price in converted.prices} >= priced
