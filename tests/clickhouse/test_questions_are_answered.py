"""The questions' answers are those that plain Python gives for the same calls, for every dimension, filter and zone."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, claimed, usage
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import QueryError, answer, questions, read
from tokentrail.ledger.values import parse_parameters
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

SECOND = 10**9
MODELS = {"openai": ("gpt-4o", "gpt-4o-mini"), "anthropic": ("claude-opus-4",), "ollama": ("llama3",)}
TENANTS = ("", "acme", "o'hara \\ söhne", "globex")
OPERATIONS = ("chat", "query", "summarize", "astrology")


@dataclass(frozen=True)
class Call:
    """A call as the truth knows it."""

    seq: int
    ts: int
    tenant: str
    operation: str
    provider: str
    model: str
    asked: str
    content: str
    input: int | None
    output: int | None
    source: str
    ended: str
    error: str
    attempts: int
    duration: int | None
    first_chunk: int | None
    cached: int | None
    written: int | None
    reasoning: int | None
    operation_id: str
    trace: str
    service: str

    @property
    def tokens(self) -> int:
        return (self.input or 0) + (self.output or 0)

    @property
    def moment(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=self.ts // 1000)

    def row(self) -> Row:
        more = {
            "provider": self.provider,
            "request_model": self.asked,
            "response_model": self.model,
            "ended": self.ended,
            "error_type": self.error or None,
            "attempts": self.attempts,
            "duration_ns": self.duration,
            "time_to_first_chunk_ns": self.first_chunk,
            "cache_read_tokens": self.cached,
            "cache_write_tokens": self.written,
            "reasoning_tokens": self.reasoning,
            "operation_id": self.operation_id,
        }
        row = usage(
            by=self.service,
            seq=self.seq,
            ts=self.ts,
            tenant=self.tenant,
            operation=self.operation,
            content=self.content,
            input_tokens=self.input,
            output_tokens=self.output,
            source=self.source,
            more=more,
        )
        row["ResourceAttributes"] = row["ResourceAttributes"] | {"service.name": self.service}
        return row | {"ServiceName": self.service, "TraceId": self.trace, "SpanId": "ab" * 8}


def calls() -> Iterator[Call]:
    """Some hundred calls over three weeks, the same ones every time."""
    chance = random.Random(20261127)
    for number in range(400):
        provider = chance.choice(list(MODELS))
        model = chance.choice(MODELS[provider])
        ended = chance.choices(("complete", "partial", "error"), (8, 1, 1))[0]
        source = "unknown" if ended == "error" and chance.random() < 0.7 else chance.choices(("reported", "estimated"), (9, 1))[0]
        known = source != "unknown"
        output = chance.randrange(500) if known else None
        given = chance.randrange(5000) if known else None
        duration = chance.randrange(SECOND // 10, 20 * SECOND)
        yield Call(
            seq=number + 1,
            ts=START_NS - chance.randrange(21 * 86_400) * SECOND + number,
            tenant=chance.choice(TENANTS),
            operation=chance.choice(OPERATIONS),
            provider=provider,
            model=model if chance.random() < 0.9 else "other-model",
            asked=model,
            content=f"text {chance.randrange(30)}",
            input=given,
            output=output,
            source=source,
            ended=ended,
            error=chance.choice(("429", "500", "openai.APITimeoutError")) if ended == "error" else "",
            attempts=chance.choice((1, 1, 1, 2, 3)),
            duration=duration,
            first_chunk=duration // 4 if chance.random() < 0.5 else None,
            cached=given // 2 if given is not None and provider != "ollama" else None,
            written=given // 4 if given is not None and provider == "anthropic" else None,
            reasoning=output // 3 if output is not None and provider == "openai" else None,
            operation_id=f"op-{chance.randrange(40)}",
            trace=f"{chance.randrange(40):032x}",
            service=chance.choice(("shop", "search")),
        )


CALLS = tuple(calls())
Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(database: Client, land: Land) -> Ask:
    land(*(call.row() for call in CALLS))

    def run(name: str, **parameters: Parameter) -> list[dict[str, Any]]:
        return answer(database, name, {key.rstrip("_"): value for key, value in parameters.items()}).dicts()

    return run


def grouped(found: Iterable[Call], key: Callable[[Call], Any]) -> dict[Any, list[Call]]:
    groups: dict[Any, list[Call]] = defaultdict(list)
    for call in found:
        groups[key(call)].append(call)
    return groups


def added(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def share(part: int, whole: int) -> float | None:
    return pytest.approx(part / whole, abs=6e-5) if whole else None


BY: dict[str, Callable[[Call], str]] = {
    "provider": lambda call: call.provider,
    "model": lambda call: call.model,
    "request_model": lambda call: call.asked,
    "tenant_id": lambda call: call.tenant,
    "operation": lambda call: call.operation if call.operation != "astrology" else "unknown",
    "service_name": lambda call: call.service,
    "environment": lambda _: "test",
    "source": lambda call: call.source,
    "ended": lambda call: call.ended,
    "error_type": lambda call: call.error,
    "operation_id": lambda call: call.operation_id,
    "token_type": lambda _: "llm",
    "endpoint": lambda _: "chat",
}


@pytest.mark.parametrize("by", BY)
def test_tokens_by_any_dimension(ask: Ask, by: str) -> None:
    whole = sum(call.tokens for call in CALLS)
    expected = {
        name: {
            "name": name,
            "input_tokens": added(call.input for call in group),
            "output_tokens": added(call.output for call in group),
            "cache_read_tokens": added(call.cached for call in group),
            "cache_write_tokens": added(call.written for call in group),
            "reasoning_tokens": added(call.reasoning for call in group),
            "calls": len(group),
            "share": share(sum(call.tokens for call in group), whole),
            "estimated_calls": sum(call.source == "estimated" for call in group),
            "unknown_calls": sum(call.source == "unknown" for call in group),
            "error_calls": sum(call.ended == "error" for call in group),
        }
        for name, group in grouped(CALLS, BY[by]).items()
    }
    found = ask("tokens", by=by)
    assert {row["name"]: row for row in found} == expected
    spent = [(row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in found]
    assert spent == sorted(spent, reverse=True)


@pytest.mark.parametrize(
    ("parameter", "value", "fits"),
    [
        ("tenants", ["o'hara \\ söhne"], lambda call: call.tenant == "o'hara \\ söhne"),
        ("tenants", ["", "acme"], lambda call: call.tenant in ("", "acme")),
        ("operations", ["astrology"], lambda call: call.operation == "astrology"),
        ("providers", ["openai", "ollama"], lambda call: call.provider in ("openai", "ollama")),
        ("models", ["gpt-4o"], lambda call: call.model == "gpt-4o"),
        ("services", ["search"], lambda call: call.service == "search"),
        ("environments", ["production"], lambda _: False),
    ],
)
def test_every_question_about_tokens_can_be_asked_for_some_calls_only(
    ask: Ask, parameter: str, value: list[str], fits: Callable[[Call], bool]
) -> None:
    chosen = [call for call in CALLS if fits(call)]
    assert sum(row["calls"] for row in ask("tokens", **{parameter: value})) == len(chosen)
    assert len(ask("latest_calls", **{parameter: value}, most=1000)) == len(chosen)
    assert {wanted.name for name in questions() for wanted in read(name).parameters} >= {parameter}


def test_arrivals_come_page_by_page_and_the_newest_first_where_asked(ask: Ask) -> None:
    whole = ask("arrivals", most=10_000)
    assert {row["idempotency_key"] for row in whole} == {row["idempotency_key"] for row in ask("latest_calls", most=10_000)}
    assert [(row["arrived_at"], row["idempotency_key"]) for row in whole] == sorted((row["arrived_at"], row["idempotency_key"]) for row in whole)
    paged: list[dict[str, Any]] = []
    while page := ask(
        "arrivals", most=7, **({"after": paged[-1]["arrived_at"], "after_key": paged[-1]["idempotency_key"]} if paged else {}), tenants=["acme"]
    ):
        paged += page
    assert paged == [row for row in whole if row["tenant_id"] == "acme"]
    assert ask("arrivals", newest=1, most=1)[0]["arrived_at"] == whole[-1]["arrived_at"]
    assert ask("arrivals", after="2200-01-01 00:00:00.000") == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize("step", ["hour", "day", "week", "month"])
def test_tokens_over_time_in_any_zone(ask: Ask, step: str, zone: str) -> None:
    def begin(call: Call) -> str:
        local = call.moment.astimezone(ZoneInfo(zone))
        start = local.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        if step != "hour":
            start = start.replace(hour=0)
        if step == "week":
            start -= timedelta(days=start.weekday())
        return str(start.replace(day=1) if step == "month" else start)

    expected = {key: (sum(call.tokens for call in group), len(group)) for key, group in grouped(CALLS, lambda c: (begin(c), c.provider)).items()}
    found = ask("tokens_over_time", step=step, timezone=zone)
    assert {(row["time"], row["name"]): ((row["input_tokens"] or 0) + (row["output_tokens"] or 0), row["calls"]) for row in found} == expected
    assert [(row["time"], row["name"]) for row in found] == sorted(expected)


def test_a_total_over_time_is_one_row_a_step(ask: Ask) -> None:
    found = ask("tokens_over_time", by="total", step="month")
    assert [row["name"] for row in found] == [""] * len(found)
    assert sum(row["calls"] for row in found) == len(CALLS)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_hours_of_the_week(ask: Ask, zone: str) -> None:
    def place(call: Call) -> tuple[int, int]:
        local = call.moment.astimezone(ZoneInfo(zone))
        return local.isoweekday(), local.hour

    expected = {key: (sum(call.tokens for call in group), len(group)) for key, group in grouped(CALLS, place).items()}
    found = {(row["weekday"], row["hour"]): (row["tokens"] or 0, row["calls"]) for row in ask("hours_of_the_week", timezone=zone)}
    assert found == expected


def test_change_compares_with_as_many_days_before(ask: Ask) -> None:
    end = START_NS - 86_400 * SECOND
    day = 86_400 * SECOND
    text = str(datetime(1970, 1, 1) + timedelta(seconds=end // SECOND))  # noqa: DTZ001 - UTC
    found = {row["name"]: row for row in ask("change", by="tenant_id", days=5, to=text)}
    last = grouped([call for call in CALLS if end - 5 * day <= call.ts < end], lambda call: call.tenant)
    before = grouped([call for call in CALLS if end - 10 * day <= call.ts < end - 5 * day], lambda call: call.tenant)
    assert found.keys() == last.keys() | before.keys()
    for tenant, row in found.items():
        now, then = (sum(call.tokens for call in group.get(tenant, [])) for group in (last, before))
        assert (row["tokens"], row["tokens_before"], row["tokens_change"], row["change"]) == (now, then, now - then, share(now - then, then))
        assert (row["calls"], row["calls_before"]) == (len(last.get(tenant, [])), len(before.get(tenant, [])))


def test_errors_are_shares_of_all_calls_of_their_model(ask: Ask) -> None:
    of_model = grouped(CALLS, lambda call: (call.provider, call.model))
    expected = {
        key: (len(group), share(len(group), len(of_model[key[:2]])), sum(call.attempts for call in group))
        for key, group in grouped([call for call in CALLS if call.ended == "error"], lambda call: (call.provider, call.model, call.error)).items()
    }
    found = ask("errors")
    assert {(row["provider"], row["model"], row["error_type"]): (row["calls"], row["share"], row["attempts"]) for row in found} == expected


def test_losses_are_failed_abandoned_and_repeated_requests(ask: Ask) -> None:
    found = {(row["provider"], row["model"]): row for row in ask("losses")}
    for key, group in grouped(CALLS, lambda call: (call.provider, call.model)).items():
        failed, left = ([call for call in group if call.ended == ended] for ended in ("error", "partial"))
        row = found.get(key)
        if row is None:
            assert not failed
            assert not left
            continue
        assert (row["failed_calls"], row["failed_tokens"]) == (len(failed), sum(call.tokens for call in failed))
        assert (row["abandoned_calls"], row["abandoned_tokens"]) == (len(left), sum(call.tokens for call in left))
        retried = [call for call in group if call.attempts > 1]
        assert (row["retried_calls"], row["extra_requests"]) == (len(retried), sum(call.attempts - 1 for call in retried))
        assert row["share_of_tokens"] == share(sum(call.tokens for call in (*failed, *left)), sum(call.tokens for call in group))


def test_certainty_says_how_much_is_estimated(ask: Ask) -> None:
    found = {(row["provider"], row["model"]): row for row in ask("certainty")}
    for key, group in grouped(CALLS, lambda call: (call.provider, call.model)).items():
        row = found.pop(key)
        estimated = sum(call.tokens for call in group if call.source == "estimated")
        whole = sum(call.tokens for call in group)
        assert (row["calls"], row["tokens"], row["estimated_tokens"], row["estimated_share"]) == (
            len(group),
            whole,
            estimated,
            share(estimated, whole),
        )
        sources = tuple(sum(call.source == source for call in group) for source in ("reported", "estimated", "unknown"))
        assert (row["reported_calls"], row["estimated_calls"], row["unknown_calls"], row["bridged_calls"]) == (*sources, 0)
    assert not found


@pytest.mark.parametrize("lifetime", [40_000, 86_400, 2_000_000])
def test_a_cache_of_responses_saves_what_an_earlier_call_had(ask: Ask, lifetime: int) -> None:
    expected: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    alike = grouped([call for call in CALLS if call.ended == "complete"], lambda call: (call.tenant, call.operation, call.asked, call.content))
    for group in alike.values():
        before = None
        for call in sorted(group, key=lambda call: call.ts):
            sums = expected[call.tenant, BY["operation"](call), call.model]
            sums[0] += 1
            if before is not None and call.ts - before <= lifetime * SECOND:
                for place, value in enumerate((1, call.input or 0, call.output or 0), 1):
                    sums[place] += value
            before = call.ts
    expected = {key: sums for key, sums in expected.items() if sums[1]}  # type: ignore[assignment]
    found = ask("response_cache", lifetime=lifetime)
    columns = ("calls", "repeated_calls", "saved_input_tokens", "saved_output_tokens")
    assert {(row["tenant_id"], row["operation"], row["model"]): [row[name] for name in columns] for row in found} == expected
    assert expected


def test_prompt_caches_and_reasoning_are_shares_of_the_calls_that_state_them(ask: Ask) -> None:
    cached = {(row["provider"], row["model"]): row for row in ask("prompt_cache")}
    for key, group in grouped([call for call in CALLS if call.cached is not None], lambda call: (call.provider, call.model)).items():
        row = cached.pop(key)
        given, read_tokens = sum(call.input or 0 for call in group), sum(call.cached or 0 for call in group)
        assert (row["calls"], row["input_tokens"], row["cache_read_tokens"], row["cache_read_share"]) == (
            len(group),
            given,
            read_tokens,
            share(read_tokens, given),
        )
        assert row["cache_write_tokens"] == added(call.written for call in group)
    assert not cached
    thought = {(row["provider"], row["model"]): row for row in ask("reasoning")}
    for key, group in grouped([call for call in CALLS if call.reasoning is not None], lambda call: (call.provider, call.model)).items():
        row = thought.pop(key)
        assert (row["calls"], row["output_tokens"], row["reasoning_tokens"]) == (
            len(group),
            sum(call.output or 0 for call in group),
            sum(call.reasoning or 0 for call in group),
        )
    assert not thought


def test_calls_in_their_orders(ask: Ask) -> None:
    by_key = {row["idempotency_key"] for row in ask("latest_calls", most=1000)}
    assert len(by_key) == len(CALLS)
    sizes = [(row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in ask("largest_calls", most=7)]
    assert sizes == sorted((call.tokens for call in CALLS), reverse=True)[:7]
    slow = [float(row["duration_ms"]) for row in ask("slowest_calls", most=5)]
    assert slow == pytest.approx(sorted(((call.duration or 0) / 1e6 for call in CALLS), reverse=True)[:5])
    trace = CALLS[0].trace
    assert len(ask("calls_of_a_trace", trace=trace)) == sum(call.trace == trace for call in CALLS)
    assert len(ask("calls_of_an_operation", operation_id="op-7")) == sum(call.operation_id == "op-7" for call in CALLS)


def test_models_services_and_who_says_nothing(ask: Ask) -> None:
    models = {(row["provider"], row["model"]): row for row in ask("models")}
    for key, group in grouped(CALLS, lambda call: (call.provider, call.model)).items():
        assert (models[key]["calls"], models[key]["tenants"]) == (len(group), len({call.tenant for call in group}))
        assert models[key]["services"] == sorted({call.service for call in group})
    others = {(row["provider"], row["request_model"]): row["calls"] for row in ask("other_models")}
    assert others == {key: len(group) for key, group in grouped([c for c in CALLS if c.model != c.asked], lambda c: (c.provider, c.asked)).items()}
    services = {row["service_name"]: row for row in ask("services")}
    for name, group in grouped(CALLS, lambda call: call.service).items():
        assert services[name]["calls"] == len(group)
        assert services[name]["silent_seconds"] > 0
    unnamed = {row["service_name"]: row for row in ask("unattributed")}
    for name, group in grouped(CALLS, lambda call: call.service).items():
        without = [call for call in group if not call.tenant]
        assert (unnamed[name]["without_tenant"], unnamed[name]["tokens_without_tenant"]) == (len(without), sum(call.tokens for call in without))
        assert unnamed[name]["without_operation"] == sum(call.operation == "astrology" for call in group)


def test_sizes_and_latency_are_quantiles_of_the_calls(ask: Ask) -> None:
    for row in ask("sizes"):
        group = [call for call in CALLS if call.model == row["model"] and BY["operation"](call) == row["operation"] and call.input is not None]
        given = sorted(call.input or 0 for call in group)
        assert (row["calls"], row["input_most"]) == (len(group), given[-1])
        assert given[0] <= row["input_p50"] <= row["input_p95"] <= given[-1]
        assert abs(given.index(row["input_p50"]) - len(given) // 2) <= 1
    for row in ask("latency"):
        group = [call for call in CALLS if (call.provider, call.model, call.ended) == (row["provider"], row["model"], "complete")]
        took = [(call.duration or 0) / 1e6 for call in group]
        assert row["calls"] == len(group)
        assert min(took) <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= max(took) + 0.1
        assert (row["first_chunk_p50_ms"] is None) == all(call.first_chunk is None for call in group)


def test_a_correction_is_no_call_and_changes_sums(ask: Ask, land: Land) -> None:
    before = ask("tokens", by="token_type")[0]
    land(claimed("correction:1", seq=9001, tenant="acme", input_tokens=-2, output_tokens=-1, more={"calls": -1, "corrects_key": "k"}))
    after = ask("tokens", by="token_type")[0]
    assert (after["input_tokens"] - before["input_tokens"], after["calls"] - before["calls"]) == (-2, -1)


def test_a_ledger_without_calls_answers_every_question(database: Client) -> None:
    for name in questions():
        given: dict[str, Parameter] = {wanted.name: "x" for wanted in read(name).parameters if wanted.default is None}
        assert answer(database, name, given).rows == [], name


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("tokens", {"by": ["modell"]}, "Did you mean model"),
        ("tokens", {"tenant": ["acme"]}, "no parameter 'tenant'. Did you mean tenants"),
        ("tokens", {"from": ["gestern"]}, "'gestern' is not a time"),
        ("tokens", {"from": ["2026", "2025"]}, "from is one value, and 2 are given"),
        ("tokens_over_time", {"timezone": ["Madrid"]}, "'Madrid' is no time zone"),
        ("change", {"days": ["-1"]}, "days is '-1': a whole number from 0 to 65535"),
        ("change", {"days": ["\N{ARABIC-INDIC DIGIT SEVEN}"]}, "a whole number"),
        ("calls_of_a_trace", {}, "needs the parameter trace"),
    ],
)
def test_what_does_not_fit_is_one_sentence(name: str, given: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        parse_parameters(read(name), given)


def test_days_begin_in_the_zone_of_the_question() -> None:
    now = datetime(2026, 11, 27, 23, 30, tzinfo=timezone.utc)
    given = parse_parameters(read("tokens_over_time"), {"from": ["today"], "timezone": ["Europe/Madrid"]}, now=now)
    assert given == {"from": "2026-11-27 23:00:00.000000", "timezone": "Europe/Madrid"}


def test_the_dearest_operations_are_those_whose_calls_cost_most(ask: Ask, database: Client) -> None:
    load(database, parse(PRICES))
    groups = grouped(
        [call for call in CALLS if call.operation_id], lambda call: (call.operation_id, BY["operation"](call), call.tenant, _currency(call))
    )
    found = ask("dearest_operations", most=10_000)
    assert {(row["operation_id"], row["operation"], row["tenant_id"], row["currency"]) for row in found} == groups.keys()
    for row in found:
        group = groups[row["operation_id"], row["operation"], row["tenant_id"], row["currency"]]
        known = [call for call in group if call.source != "unknown"]
        paid = Decimal(sum(2 * (call.input or 0) + 8 * (call.output or 0) for call in known)) / 10**6
        assert row["cost"] == (paid if row["currency"] and known else None)
        assert (row["tokens"], row["calls"]) == (sum(call.tokens for call in group), len(group))
        assert row["error_calls"] == sum(call.ended == "error" for call in group)
        assert (row["first"][:19], row["latest"][:19]) == tuple(str(each(call.moment for call in group))[:19] for each in (min, max))
    order = [(row["cost"] is None, -(row["cost"] or 0), -row["tokens"]) for row in found]
    assert order == sorted(order)
    assert ask("dearest_operations", most=3) == found[:3]


PRICES = """
[[price]]
provider = "openai"
model = "gpt-4o"
input = "2"
output = "8"
"""


def _currency(call: Call) -> str:
    return "USD" if (call.provider, call.asked) == ("openai", "gpt-4o") else ""
