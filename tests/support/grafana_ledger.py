"""A ledger for dashboards: some hundred calls with names that hurt, two writers, a price list, conflicts, quarantine and traces."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support.ledger_rows import START_NS, Row, usage
from tokentrail.clickhouse.client import Client

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
)
MODELS = {"openai": ("gpt-4o", "gpt-4o-mini"), "anthropic": ("claude-opus-4",), "o'llama \\": ("llama3:8b", "m'odel, {x} \\", "")}
OPERATIONS = ("chat", "query", "summarize", "astro'logy \\ ,{}", "")
SERVICES = ("shop", "sea'rch, \\ {x}")
ENVIRONMENTS = ("prod", "", "te'st")


def calls() -> Iterator[Row]:
    """The same calls every time, over three weeks; two of them at the edges of a second."""
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
        row = usage(
            by=chance.choice(("one", "two")),
            seq=number + 1,
            ts=ts,
            tenant=chance.choice(TENANTS),
            operation=chance.choice(OPERATIONS),
            content=f"text {chance.randrange(30)}",
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


def fill(client: Client) -> None:
    """Puts everything into an empty, migrated database."""
    rows = [*calls()]
    client.insert_json("usage_landing", rows)
    client.insert_json("usage_landing", rows[:50])
