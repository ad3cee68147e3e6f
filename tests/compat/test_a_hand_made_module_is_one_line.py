"""`tokentrail.compat.tracking`: the names of a hand-made module, in the forms in which such modules are called. Nothing raises, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.calls import journal_of
from tokentrail import Operation, TokenType, count_tokens, track_tokens
from tokentrail.compat import tracking
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

EXAMPLE = Path(__file__).parents[2] / "examples" / "coming_from"
AT = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
AT_NS = 1_793_534_400 * 10**9


class Purpose(Enum):
    """A team's own words."""

    SUMMARY = "SUMMARIZE"
    RAG = "rag_answer"


class Kind(str, Enum):
    """A team's own enum of texts."""

    EMBED = "embedding"


def test_every_name_of_the_vocabulary_is_there() -> None:
    names = dict(vars(tracking).items())
    for word in Operation:
        assert names[f"OPERATION_{word.name}"] is word
    for kind in TokenType:
        assert names[f"TOKEN_TYPE_{kind.name}"] is kind
    wanted = {f"OPERATION_{word.name}" for word in Operation} | {f"TOKEN_TYPE_{kind.name}" for kind in TokenType}
    assert wanted | {"track_token_usage", "count_tokens", "estimate_prompt_tokens", "in_order"} <= set(tracking.__all__)


def one(usages: Usages) -> Usage:
    (usage,) = usages
    return usage


def said(usage: Usage) -> tuple[Any, ...]:
    return usage.token_type, usage.operation, usage.tenant_id, usage.provider, usage.request_model, usage.input_tokens, usage.output_tokens


COMPLETE = ("llm", "query", "acme", "groq", "llama-3.1-8b", 12, 5)


@pytest.mark.parametrize(
    ("args", "keywords"),
    [
        (COMPLETE, {}),
        (("TOKEN_TYPE_LLM", "OPERATION_QUERY", *COMPLETE[2:]), {}),
        (
            (tracking.TOKEN_TYPE_LLM, tracking.OPERATION_QUERY, "acme"),
            {"provider": "Groq", "model_name": "llama-3.1-8b", "tokens_in": 12, "tokens_out": 5},
        ),
        (
            (),
            {"token_type": "LLM", "operation": "QUERY", "tenant": "acme", "vendor": "groq"}
            | {"model": COMPLETE[4], "prompt_tokens": "12", "tokens_out": 5.0},
        ),
        (COMPLETE[:5], {"prompt_tokens": 12, "total_tokens": 17}),
        (COMPLETE[:5], {"completion_tokens": 5, "total_tokens": 17}),
    ],
    ids=["in order", "names of constants", "some in order", "other words", "the rest of the total", "the other rest"],
)
def test_hand_made_calls_say_the_same(tokentrail_usages: Usages, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    key = tracking.track_token_usage(*args, **keywords)
    assert said(one(tokentrail_usages)) == COMPLETE
    assert key == one(tokentrail_usages).key


def test_members_of_other_enums_are_their_values(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage(Kind.EMBED, Purpose.SUMMARY, "acme", "openai", "text-embedding-3-small", total_tokens=7)
    usage = one(tokentrail_usages)
    assert (usage.token_type, usage.operation, usage.input_tokens, usage.output_tokens) == ("embedding", "summarize", 7, None)
    assert usage.input_source == usage.output_source == "reported"


def test_further_keywords_are_metadata(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage(*COMPLETE, {"team": "search"}, "ninth", request_id="r1", cost_usd=0.25, latency_ms=1500)
    usage = one(tokentrail_usages)
    assert json.loads(usage.metadata) == {"team": "search", "argument_9": "ninth", "request_id": "r1", "cost_usd": 0.25}
    assert usage.duration_ns == 1_500_000_000


@pytest.mark.parametrize("word", ["latency_ms", "Duration_MS", "latency"])
@pytest.mark.parametrize("value", [1.5, "1.5"])
def test_a_duration_is_in_the_unit_of_its_word(tokentrail_usages: Usages, word: str, value: Any) -> None:
    tracking.track_token_usage(*COMPLETE, **{word: value})
    assert one(tokentrail_usages).duration_ns == (1_500_000_000 if word == "latency" else 1_500_000)


@pytest.mark.parametrize(("given_total", "output"), [(17, 5), (12, 0), (11, None)])
def test_a_total_that_contradicts_makes_no_half_up(tokentrail_usages: Usages, given_total: int, output: int | None) -> None:
    tracking.track_token_usage(*COMPLETE[:6], total_tokens=given_total)
    assert (one(tokentrail_usages).input_tokens, one(tokentrail_usages).output_tokens) == (12, output)


def test_a_correction_takes_back(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage(*COMPLETE[:5], -12, -5, corrects_key="order-1", calls=-1)
    usage = one(tokentrail_usages)
    assert (usage.input_tokens, usage.output_tokens, usage.calls, usage.corrects_key, usage.metadata) == (-12, -5, -1, "order-1", "")


def test_a_total_alone_is_kept_and_no_half_is_made_up(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage("llm", "chat", "acme", "openai", "gpt-4o", total_tokens=17)
    usage = one(tokentrail_usages)
    assert (usage.input_tokens, usage.output_tokens, usage.source) == (None, None, "unknown")
    assert json.loads(usage.metadata) == {"total_tokens": 17}


@pytest.mark.parametrize("given_time", [AT, AT.replace(tzinfo=None), AT.isoformat(), "2026-11-01T12:00:00Z", AT_NS, AT_NS // 10**6, AT.timestamp()])
def test_a_time_of_any_form_is_the_usages(tokentrail_usages: Usages, given_time: Any) -> None:
    tracking.track_token_usage(*COMPLETE, created_at=given_time)
    assert one(tokentrail_usages).ts == AT_NS


def test_a_key_of_ones_own_is_claimed(tokentrail_usages: Usages) -> None:
    assert tracking.track_token_usage(*COMPLETE, idempotency_key="order-1") == "order-1"
    assert (one(tokentrail_usages).key, one(tokentrail_usages).key_kind) == ("order-1", "opaque")


def test_the_key_can_be_awaited(tokentrail_usages: Usages) -> None:
    async def spend() -> str:
        return await tracking.track_token_usage(*COMPLETE)

    assert asyncio.run(spend()) == one(tokentrail_usages).key


def test_another_order_is_said_once(tokentrail_usages: Usages) -> None:
    spend = tracking.in_order("tenant_id", "model", "provider", "operation", "prompt_tokens", "completion_tokens")
    spend("acme", "llama-3.1-8b", "groq", "query", 12, 5)
    assert said(one(tokentrail_usages)) == COMPLETE
    spend("acme", order="a keyword of the team's own")
    assert json.loads(list(tokentrail_usages)[1].metadata) == {"order": "a keyword of the team's own"}
    with pytest.raises(ValueError, match="'colour' is no field"):
        tracking.in_order("tenant_id", "colour")


def test_a_word_that_the_vocabulary_lacks_is_kept(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage("vision", Purpose.RAG, "acme", "openai", "gpt-4o", 1, 2)
    usage = one(tokentrail_usages)
    assert (usage.token_type, usage.operation) == ("llm", "rag_answer")
    assert json.loads(usage.metadata) == {"token_type": "vision"}


def test_a_block_says_what_the_call_leaves_out(tokentrail_usages: Usages) -> None:
    with track_tokens("extraction", tenant_id="umbrella"):
        tracking.track_token_usage(model="gpt-4o", provider="openai", input_tokens=1, output_tokens=1)
    assert (one(tokentrail_usages).operation, one(tokentrail_usages).tenant_id) == ("extraction", "umbrella")


def test_a_call_without_an_operation_has_that_of_its_token_type(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage(token_type="embedding", model="m", provider="p", input_tokens=1)
    tracking.track_token_usage(model="m", provider="p", input_tokens=1)
    assert [usage.operation for usage in tokentrail_usages] == ["vector_search", "chat"]


class Hostile:
    """A value that cannot be read at all."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __float__(self) -> float:
        raise RuntimeError("no number")

    __repr__ = __str__


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(),
    st.binary(),
    st.dictionaries(st.text(), st.integers()),
    st.builds(Hostile),
    st.sampled_from(list(Purpose)),
    st.datetimes(),
)
WORDS = (
    "tokens_in",
    "total_tokens",
    "cached_tokens",
    "created_at",
    "latency",
    "latency_ms",
    "metadata",
    "source",
    "calls",
    "ended",
    "idempotency_key",
    "corrects_key",
)


@given(args=st.lists(ANYTHING, max_size=9), keywords=st.dictionaries(st.sampled_from(WORDS), ANYTHING))
@hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_raises(runtime: Runtime, args: list[Any], keywords: dict[str, Any]) -> None:
    assert tracking.track_token_usage(*args, **keywords), "a key: the usage is in the journal"
    assert runtime.diagnostics.internal_errors.get("journal.encode") is None


@pytest.mark.parametrize("at", range(8))
def test_a_value_that_cannot_be_read_loses_no_call(tokentrail_usages: Usages, at: int) -> None:
    args: list[Any] = [*COMPLETE, {"team": "search"}]
    args[at] = Hostile()
    assert tracking.track_token_usage(*args)
    one(tokentrail_usages)


def test_counts_that_are_none_lose_no_call(tokentrail_usages: Usages) -> None:
    tracking.track_token_usage(*COMPLETE[:5], -3, True)
    usage = one(tokentrail_usages)
    assert (usage.input_tokens, usage.output_tokens, usage.calls) == (None, None, 1)
    assert json.loads(usage.metadata) == {"input_tokens": -3, "output_tokens": True}


def test_the_counters_are_the_librarys() -> None:
    messages = [{"role": "user", "content": "How many tokens are these?"}]
    for counter in (tracking.count_tokens, tracking.estimate_prompt_tokens):
        assert counter("How many?", "gpt-4o") == count_tokens("How many?", model="gpt-4o")
        assert counter(messages, model="gpt-4o") == count_tokens(messages, model="gpt-4o")
        assert counter(None) == 0
        assert counter(object()) == 0


def test_the_recipe_runs(tmp_path: Path) -> None:
    environment = os.environ | {"TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"), "TOKENTRAIL_SHIP": "false"}
    done = subprocess.run([sys.executable, "-W", "error", "service.py"], cwd=EXAMPLE, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    query, embedding = (usage for _writer, _number, usage in journal_of(tmp_path / "journal"))
    assert (query.provider, query.operation, query.tenant_id, query.source) == ("groq", "query", "acme", "estimated")
    assert query.input_tokens
    assert query.output_tokens
    assert (embedding.provider, embedding.operation, embedding.input_tokens, json.loads(embedding.metadata)) == (
        "openai",
        "vector_search",
        7,
        {"batch": 2},
    )


def test_the_shim_records_as_the_library_does(runtime: Runtime) -> None:
    with collect_usages() as usages:
        tracking.track_token_usage(*COMPLETE, cached_tokens=4, reasoning_tokens=2)
    (usage,) = usages
    assert (usage.cache_read_tokens, usage.reasoning_tokens, usage.source, usage.gen_ai_operation) == (4, 2, "reported", "chat")
