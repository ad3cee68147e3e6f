"""The four services under a crowd of three tenants, with rate limits, failures, streams that break off or are left, a service that is killed and a Collector
that is restarted: the ledger holds what the providers have answered, by tenant, operation, provider, model and token type.

The truth is kept by the providers' stand-in, by trace: the clients choose the trace of each request, and know whose it is. What the killed process had
under way is the one exception: a client whose request broke cannot know how far it came. Of such a trace each row must be one of the calls that were
answered, each call is a row at most once, and no more calls may lack their row than there were clients.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import httpx

from examples.services.local.parts import Parts
from tests.support.crowd import IN_FLIGHT_SAFE, KINDS, TENANTS, Asked, Crowd, mixed
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import Client, connect
from tokentrail.pages.facts import Wanted, collect
from tokentrail.pages.selection import Selection

REQUESTS = int(os.environ.get("TOKENTRAIL_SCENARIO_REQUESTS", "2000"))
CLIENTS = 16
ENDED = {"complete": "complete", "cut": "error", "error": "error", "left": "partial"}
"""How a call ended for its caller, by how the provider ended it."""

Row = dict[str, Any]
Call = tuple[str, ...]


def operation_of(asked: Asked, told: Row) -> str:
    """The operation of a provider call: the agent's calls have that of the endpoint which the agent has asked."""
    if KINDS[asked.kind].operation:
        return KINDS[asked.kind].operation
    return "vector_search" if "embed" in told["path"] else "chat" if told["stream"] else "query"


def stated(tenant: str, operation: str, provider: str, model: str, ended: str, tokens: tuple[Any, Any]) -> Call:
    """One call, as text: counts only where the provider has stated them."""
    token_type = "embedding" if "embed" in model else "llm"
    counts = (str(tokens[0]), str(tokens[1])) if ended == "complete" else ("not stated", "not stated")
    return (tenant, operation, provider, model, token_type, ended, *counts)


def true_calls(asked: Asked, answered: Iterable[Row]) -> Counter[Call]:
    """The calls of one trace as the providers have answered them."""
    return Counter(
        stated(
            asked.tenant,
            operation_of(asked, told),
            told["provider"],
            told["model"],
            ENDED.get(told["ended"], told["ended"]),
            (told["input"], told["output"]),
        )
        for told in answered
    )


def ledger_calls(rows: Iterable[Row]) -> Counter[Call]:
    """The calls of one trace as the ledger holds them."""
    calls: Counter[Call] = Counter()
    for row in rows:
        call = stated(
            row["tenant_id"], row["operation"], row["provider"], row["request_model"], row["ended"], (row["input_tokens"], row["output_tokens"] or 0)
        )
        assert row["token_type"] == call[4], row
        assert row["ended"] != "complete" or row["source"] == "reported", row
        calls[call] += row["calls"]
    return calls


def by_trace(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trace_id"], []).append(row)
    return found


def sums(calls: Counter[Call]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Calls, input and output by tenant, operation, provider, model, token type and end."""
    found: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for call, number in calls.items():
        counts = tuple(int(text) if text.isdigit() else 0 for text in call[6:])
        before = found.get(call[:6], (0, 0, 0))
        found[call[:6]] = (before[0] + number, before[1] + counts[0] * number, before[2] + counts[1] * number)
    return found


async def kill_and_restart(parts: Parts, crowd: Crowd, name: str, after: int) -> None:
    """Kill a service amid its work, and start it again."""
    await crowd.when(after)
    await asyncio.to_thread(parts.children[name].kill)
    await asyncio.to_thread(parts.children[name].start, timeout_s=60)


async def restart_collector(parts: Parts, crowd: Crowd, after: int) -> None:
    await crowd.when(after)
    assert parts.collector is not None
    await asyncio.to_thread(parts.collector.restart)


async def under_load(parts: Parts, crowd: Crowd) -> None:
    """All that happens, a third of the requests each time."""
    third = REQUESTS // 3
    await crowd.ask(mixed(1, third))
    killed = kill_and_restart(parts, crowd, "query", crowd.answered + third // 2)
    await asyncio.gather(crowd.ask(mixed(2, third, IN_FLIGHT_SAFE, first=10_000)), killed)
    await asyncio.gather(crowd.ask(mixed(3, third, first=20_000)), restart_collector(parts, crowd, crowd.answered + third // 2))


def tokentrail(*arguments: str) -> Any:
    ran = subprocess.run([sys.executable, "-m", "tokentrail", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def test_every_answer_is_in_the_ledger_once(parts: Parts) -> None:
    crowd = Crowd(parts.url, CLIENTS)
    asyncio.run(under_load(parts, crowd))
    answered = httpx.get(f"{parts.url['providers']}/truth").json()["answered"]
    parts.stop_services()
    client = connect(parts.dsn)
    try:
        compare(parts, client, crowd, answered)
    finally:
        client.close()


def compare(parts: Parts, client: Client, crowd: Crowd, answered: list[Row]) -> None:
    rows = client.query("SELECT * FROM usage").dicts()
    truth, ledger, asked = by_trace(answered), by_trace(rows), {each.trace_id: each for each in crowd.asked}
    assert truth.keys() | ledger.keys() <= asked.keys(), "a call of nobody's request"
    assert {told["baggage"] for told in answered} == {""}, "a provider was told a tenant"

    whole = [each for each in crowd.asked if each.ended != "broken"]
    expected, held = Counter[Call](), Counter[Call]()
    for each in whole:
        here = true_calls(each, truth.get(each.trace_id, []))
        there = ledger_calls(ledger.get(each.trace_id, []))
        assert there == here, each
        expected += here
        held += there
    assert sums(held) == sums(expected)
    assert {key[0] for key in sums(held)} == set(TENANTS)
    assert {key[1] for key in sums(held)} == {kind.operation for kind in KINDS.values() if kind.operation}
    assert {(key[2], key[5]) for key in sums(held)} == {
        ("groq", "complete"), ("groq", "error"), ("groq", "partial"), ("ollama", "complete"), ("openai", "complete"), ("openai", "error")
    }  # fmt: skip

    broken = [each for each in crowd.asked if each.ended == "broken"]
    lacking = 0
    assert broken, "nothing was under way at the kill"
    assert [each for each in broken if each.number // 10_000 != 1] == [], "something broke while nothing was killed"
    for each in broken:
        here, there = true_calls(each, truth.get(each.trace_id, [])), ledger_calls(ledger.get(each.trace_id, []))
        assert there <= here, each
        lacking += (here - there).total()
    assert lacking <= CLIENTS
    told = f"{len(whole)} requests, {len(answered)} calls, {len(rows)} rows; {len(broken)} requests broke, {lacking} of their calls have no row"
    sys.stdout.write(f"{told}\n")

    assert {row["service_name"] for row in rows} == {"query", "embedding"}, "the agent and the ingestion spend nothing themselves"
    every_row_leads_to_its_trace(client)
    verified = tokentrail("verify", "--dsn", parts.dsn, "--all", "--json")
    assert {writer["state"] for writer in verified["writers"]} == {"complete"}
    the_dashboard_says_the_same(client, rows)


def every_row_leads_to_its_trace(client: Client) -> None:
    """The span of each call is there; of the killed process those that were not sent yet are not."""
    lost = "SELECT writer_id FROM usage WHERE service_name = 'query' GROUP BY writer_id ORDER BY min(ts) LIMIT 1"
    known = "(trace_id, span_id) IN (SELECT TraceId, SpanId FROM otel_traces)"
    missing = f"SELECT span_id, writer_id IN ({lost}) AS killed FROM usage WHERE NOT {known}"
    wait_until(lambda: not [row for row in client.query(missing).dicts() if not row["killed"]], "every call's span")
    assert len(client.query(missing).rows) <= 0.1 * len(client.query("SELECT 1 FROM usage").rows)
    both = "usage AS u INNER JOIN otel_traces AS t ON t.TraceId = u.trace_id AND t.SpanId = u.span_id"
    leaf = "toInt64OrNull(t.SpanAttributes['gen_ai.usage.input_tokens'])"
    assert client.query(f"SELECT count() FROM {both} WHERE u.source = 'reported' AND {leaf} IS DISTINCT FROM u.input_tokens").rows[0][0] == 0
    tree = "SELECT count() FROM (SELECT TraceId FROM otel_traces GROUP BY TraceId HAVING uniqExact(ServiceName) = 4)"
    assert client.query(tree).rows[0][0] > 0, "no trace leads through all four services"


def the_dashboard_says_the_same(client: Client, rows: list[Row]) -> None:
    facts = collect(client, Selection(), datetime.now(timezone.utc), Wanted.DASHBOARD)
    assert facts.parts is not None
    for dimension, name in (("tenant_id", "tenant_id"), ("provider", "provider"), ("operation", "operation"), ("model", "model")):
        expected: dict[str, list[int]] = {}
        for row in rows:
            one = expected.setdefault(row[name], [0, 0, 0, 0])
            for place, number in enumerate((row["calls"], row["input_tokens"], row["output_tokens"], row["ended"] == "error")):
                one[place] += number or 0
        said = facts.parts.by[dimension]
        assert {key: [one.calls, one.input_tokens, one.output_tokens or 0, one.error_calls] for key, one in said.items()} == expected
    assert facts.totals.calls == sum(row["calls"] for row in rows)
