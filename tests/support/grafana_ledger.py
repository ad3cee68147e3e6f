"""A ledger for dashboards: some hundred calls with names that hurt, two writers, a price list, conflicts, quarantine and traces."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support.foreign_spans import span
from tests.support.ledger_rows import START_NS, Row, claimed, closing, moment, refused, usage
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.idempotency import digest, key_prefix
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

SECOND = 10**9
START_MS = START_NS // 10**6
TENANTS = (
    "acme",
    "",
    "All",
    "$__all",
    "*",
    "~",
    "o'hara \\ söhne",
    "a,b",
    "{acme}",
    "\\'; DROP TABLE usage; --",
    "') OR 1=1 --",
    "${tenant} $__fromTime $tag$",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "日本 \U0001f600",
    "a&b=c#d+e%41",
    "line\nbreak\ttab",
    "(others)",
    "(none)",
    '"(none)"',
)
MODELS = {"openai": ("gpt-4o", "gpt-4o-mini"), "anthropic": ("claude-opus-4",), "o'llama \\": ("llama3:8b", "m'odel, {x} \\", "")}
OPERATIONS = ("chat", "query", "summarize", "astro'logy \\ ,{}", "")
SERVICES = ("shop", "sea'rch, \\ {x}")
PRICES = """
[[price]]
provider = "openai"
model = "*"
input = "2.50"
output = 10
cache_read = "0.333"

[[price]]
provider = "anthropic"
model = "claude*"
currency = "EUR"
input = 3
"""
ENVIRONMENTS = ("prod", "", "te'st")


EDGES = tuple(edge * 10**6 + near for edge in (START_MS - 5_400_000 + 123, START_MS - 1, START_MS) for near in (-(10**6), -1, 0, 1))
"""The moments around the ends of the range START_MS - 5_400_000 + 123 to START_MS - 1."""


def calls() -> Iterator[Row]:
    """The same calls every time, over three weeks; some at the edges of a range."""
    chance = random.Random(20261127)
    for number in range(600):
        provider = chance.choice(list(MODELS))
        model = chance.choice(MODELS[provider])
        ended = chance.choices(("complete", "partial", "error"), (8, 1, 1))[0]
        source = "unknown" if ended == "error" and chance.random() < 0.7 else chance.choices(("reported", "estimated"), (9, 1))[0]
        given = chance.randrange(5000) if source != "unknown" else None
        output = chance.randrange(500) if source != "unknown" else None
        duration = chance.randrange(SECOND // 10, 20 * SECOND)
        ago = chance.choice((21 * 86_400, 2 * 86_400, 5_400))
        ts = START_NS - chance.randrange(ago) * SECOND - chance.choice((0, 1, 10**6, 999_999_999))
        if number < len(EDGES):
            ts = EDGES[number]
        tenant, content = chance.choice(TENANTS), f"text {chance.randrange(30)}"
        row = usage(
            key=f"{key_prefix('chat', tenant)}{digest([content])}:{ts:019d}",
            by=chance.choice(("one", "two")),
            seq=number + 1,
            ts=ts,
            tenant=tenant,
            operation=chance.choice(OPERATIONS),
            input_tokens=given,
            output_tokens=output,
            source=source,
            more={
                "provider": provider,
                "request_model": model or None,
                "response_model": model or None,
                "ended": ended,
                "error_type": chance.choice(("429", "500", "openai.APITimeoutError")) if ended == "error" else None,
                "attempts": chance.choice((1, 1, 1, 2, 3)),
                "duration_ns": duration,
                "time_to_first_chunk_ns": duration // 4 if chance.random() < 0.5 else None,
                "cache_read_tokens": given // 2 if given is not None and provider == "openai" else None,
                "cache_write_tokens": given // 4 if given is not None and provider == "anthropic" else None,
                "reasoning_tokens": output // 3 if output is not None and provider == "openai" else None,
                "operation_id": f"op-{chance.randrange(40)}",
            },
        )
        service, environment = chance.choice(SERVICES), chance.choice(ENVIRONMENTS)
        resource = row["ResourceAttributes"] | {"service.name": service, "deployment.environment.name": environment}
        yield row | {"ServiceName": service, "ResourceAttributes": resource, "TraceId": f"{chance.randrange(40):032x}", "SpanId": "ab" * 8}


def disorder() -> Iterator[Row]:
    """What the dashboard of truth is for: a closed writer with a gap, refused records, a key with two sets of numbers, a record that is not understood."""
    yield claimed("job-'1", by="three", seq=1, input_tokens=10)
    yield claimed("job-'1", by="three", seq=2, input_tokens=11)
    yield usage(by="three", seq=3, input_tokens="many")
    yield closing(6, by="three")
    yield refused("5", by="three")


def spans() -> Iterator[Row]:
    """Two spans of each of the traces."""
    for trace in range(40):
        for number in range(2):
            made = span(10 * trace + number, {"gen_ai.system": "o'penai", "<b>": '"\\'})
            yield made | {"TraceId": f"{trace:032x}", "ParentSpanId": "" if number == 0 else f"{10 * trace:016x}"}


def sizes() -> Iterator[Row]:
    """What journals hold, as the Collector writes it."""
    for minute in range(30):
        moment_of_it = moment(START_NS - minute * 20 * SECOND)
        for service in SERVICES:
            yield {"ServiceName": service, "MetricName": semconv.METRIC_JOURNAL_BYTES, "TimeUnix": moment_of_it, "Value": 4096.0 * minute}


def findings() -> Iterator[Row]:
    """Findings of bills in all states, of which one was found twice at the same moment, and one within."""
    for number, (state, tenant) in enumerate(zip(("open", "explained", "corrected", "gone") * 2, TENANTS, strict=False)):
        figures = {"measures": ["cost USD", "input_tokens"], "stated": ["12.5", str(number)], "counted": ["-0.000001", "1000000"]}
        place = {"source": "openai-cost", "provider": "openai", "project": tenant, "starts": "2026-11-18 00:00:00", "ends": "2026-11-19 00:00:00"}
        row = {"id": f"{number:012x}", "version": 1, "row_id": "1", "state": "open", "who": "tokentrail reconcile", "explanations": [tenant]}
        yield row | place | figures
        yield row | place | figures | {"row_id": "2", "explanations": ["said too late"], "at": "2100-01-01 00:00:00.000"}
        yield row | place | figures | {"version": 2, "state": state, "who": tenant, "why": tenant}
    yield {"id": "f" * 12, "version": 1, "row_id": "1", "state": "open", "who": "x", "source": "journal", "subject": "writer 'x'"}


def fill(client: Client) -> None:
    """Puts everything into an empty, migrated database."""
    rows = [*calls()]
    client.insert_json("usage_landing", rows)
    client.insert_json("usage_landing", [*rows[:50], *disorder()])
    client.insert_json("otel_traces", spans())
    client.insert_json("otel_metrics_gauge", sizes())
    client.insert_json("findings", findings())
    load(client, parse(PRICES))
