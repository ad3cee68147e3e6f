"""Two months of a made-up company's calls, the same ones every time: what docs/analysts.md and the notebooks ask of.

Chance takes whole numbers only, so the rows are the same with every Python.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from tests.support.ledger_rows import Row, claimed, closing, moment, usage
from tokentrail.clickhouse.client import Client
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

SECOND = 10**9
BEGIN = datetime(2026, 9, 1, tzinfo=timezone.utc)
DAYS = 61
CALLS = 900
MODELS = {
    "openai": ("gpt-5", "gpt-5-mini"),
    "anthropic": ("claude-sonnet-4-5",),
    "ollama": ("qwen3:8b",),
}
TENANTS = {"acme": 8, "globex": 5, "umbrella": 3, "": 1}
SERVICES = {"assistant": ("chat", "query"), "indexer": ("summarize", "extraction"), "support": ("chat", "classification")}
PRICES = """
[[price]]
provider = "openai"
model = "gpt-5"
to = 2026-10-01
input = "1.50"
output = 12
cache_read = "0.15"

[[price]]
provider = "openai"
model = "gpt-5"
from = 2026-10-01
input = "1.25"
output = 10
cache_read = "0.125"

[[price]]
provider = "openai"
model = "gpt-5-mini"
input = "0.25"
output = 2
cache_read = "0.025"

[[price]]
provider = "anthropic"
model = "claude-sonnet-4-5"
input = 3
output = 15
cache_read = "0.30"
cache_write = "3.75"
"""


def rows() -> Iterator[Row]:
    """Rows of the landing table: calls, a key with two sets of numbers, a correction, and the closing records of the writers."""
    chance = random.Random(20261001)
    numbers = dict.fromkeys(SERVICES, 0)
    for _ in range(CALLS):
        service = chance.choice(list(SERVICES))
        numbers[service] += 1
        yield _call(chance, service, numbers[service])
    night, by, key = _ns(BEGIN + timedelta(days=40, hours=3)), "indexer", "nightly:2026-10-11"
    model = {"provider": "openai", "request_model": "gpt-5-mini", "response_model": "gpt-5-mini"}
    spent = {"by": by, "tenant": "acme", "operation": "summarize", "output_tokens": None}
    for later, tokens in enumerate((80_000, 81_000)):
        numbers[by] += 1
        yield _of(claimed(key, seq=numbers[by], ts=night + later * SECOND, input_tokens=tokens, more=model, **spent), by)
    numbers[by] += 1
    taken_back = model | {"calls": -1, "corrects_key": key}
    yield _of(claimed("correction:1", seq=numbers[by], ts=night + 2 * SECOND, input_tokens=-80_000, more=taken_back, **spent), by)
    for service, number in numbers.items():
        yield _of(closing(number, by=service), service)


def _call(chance: random.Random, service: str, number: int) -> Row:
    provider = chance.choices(list(MODELS), (6, 3, 1))[0]
    model = chance.choice(MODELS[provider])
    operation = chance.choice(SERVICES[service])
    tenant = chance.choices(list(TENANTS), list(TENANTS.values()))[0]
    content = f"text {number} of {service}"
    if operation in ("query", "classification") and chance.randrange(2) == 0:  # questions that are asked again and again
        content = f"question {chance.randrange(6)}"
    day = max(chance.randrange(DAYS), chance.randrange(DAYS))
    while (BEGIN + timedelta(days=day)).weekday() > 4 and chance.randrange(4):  # weekends are quiet
        day = chance.randrange(DAYS)
    hour = chance.choices(range(24), [1] * 7 + [4] * 2 + [9] * 9 + [4] * 3 + [1] * 3)[0]
    ended = chance.choices(("complete", "partial", "error"), (92, 5, 3))[0]
    source = {"complete": "reported", "partial": "estimated", "error": "unknown"}[ended]
    if provider == "ollama" and source == "reported" and chance.randrange(3) == 0:
        source = "estimated"
    given = chance.randrange(200, 1200) * chance.choice((1, 1, 2, 4, 12))
    answered = chance.randrange(20, 900)
    cached, written = given * chance.choice((0, 0, 4, 8)) // 10, given // 10
    took = chance.randrange(300, 9000)
    more: dict[str, object] = {
        "provider": provider,
        "request_model": model,
        "response_model": "gpt-4.1-mini" if model == "gpt-5" and chance.randrange(25) == 0 else model,
        "ended": ended,
        "error_type": chance.choice(("429", "429", "500")) if ended == "error" else None,
        "attempts": chance.choices((1, 2, 3), (90, 7, 3))[0],
        "duration_ns": took * 10**6,
        "time_to_first_chunk_ns": took * 2 * 10**5 if service != "indexer" else None,
        "stream": service != "indexer",
        "operation_id": f"{service}-{chance.randrange(90):02d}",
        "metadata": {"team": {"assistant": "product", "indexer": "search", "support": "care"}[service]},
    }
    if source == "reported":
        more["cache_read_tokens"] = cached if provider != "ollama" else None
        more["cache_write_tokens"] = written if provider == "anthropic" else None
        more["reasoning_tokens"] = answered * 6 // 10 if model == "gpt-5" else None
    if source == "estimated":
        more["tokenizer"] = "o200k_base"
    at = BEGIN + timedelta(days=day, hours=hour, seconds=chance.randrange(3600))
    known = source != "unknown"
    return _of(
        usage(
            by=service,
            seq=number,
            ts=_ns(at) + number,
            tenant=tenant,
            operation=operation,
            content=content,
            input_tokens=given if known else None,
            output_tokens=answered if known else None,
            source=source,
            more=more,
        ),
        service,
    )


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * SECOND


def _of(row: Row, service: str) -> Row:
    """The row of a service in production, with the moment at which it arrived."""
    resource = row["ResourceAttributes"] | {"service.name": service, "deployment.environment.name": "production"}
    return row | {"ServiceName": service, "ResourceAttributes": resource, "arrived_at": moment(_ns(BEGIN + timedelta(days=DAYS)))[:23]}


def fill(client: Client) -> None:
    """Puts everything into an empty, migrated database."""
    client.insert_json("usage_landing", rows())
    load(client, parse(PRICES))
