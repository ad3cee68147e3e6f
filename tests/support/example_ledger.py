"""A month of a made-up company's calls, the same ones every time: for pages and pictures that look like somebody's."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from tests.support.ledger_rows import Row, closing, usage

MODELS = {
    "openai": (("gpt-5", 5), ("gpt-5-mini", 9)),
    "anthropic": (("claude-sonnet-4-5", 8), ("claude-haiku-4-5", 4)),
    "gcp.gemini": (("gemini-2.5-flash", 6),),
    "groq": (("openai/gpt-oss-120b", 3),),
    "ollama": (("qwen3:8b", 2),),
}
TENANTS = (("acme", 30), ("globex", 18), ("umbrella", 12), ("initech", 9), ("stark", 7), ("wayne", 5), ("hooli", 4), ("", 3))
SERVICES = {"assistant": ("chat", "query"), "indexer": ("summarize", "extraction"), "support": ("chat", "classification")}


def example_rows(end: datetime, *, days: int = 60, calls: int = 6000, seed: int = 7) -> Iterator[Row]:
    """Rows of the landing table: calls from `days` before `end` on, and the closing records of their writers."""
    chance = random.Random(seed)
    models = [(provider, model, weight) for provider, held in MODELS.items() for model, weight in held]
    numbers = dict.fromkeys(SERVICES, 0)
    last = None
    for _ in range(calls):
        if last is not None and chance.random() < 0.08:  # the same was asked again
            at, *same = last
            at = min(at + timedelta(minutes=5), end)
        else:
            at, same = _moment(chance, end, days), [*_call(chance, models), f"text {chance.randrange(10**9)}"]
        last = (at, *same)
        (provider, model), service, operation, tenant, content = same
        numbers[service] += 1
        ended = chance.choices(("complete", "partial", "error"), (95, 3, 2))[0]
        source = {"complete": "reported", "partial": "estimated", "error": "unknown"}[ended]
        if provider == "ollama" and chance.random() < 0.2:
            source = "estimated"
        sent = None if source == "unknown" else int(chance.lognormvariate(7.2, 1.0))
        answered = None if source == "unknown" else int(chance.lognormvariate(5.6, 0.8))
        cached = None if sent is None or provider in ("groq", "ollama") else int(sent * chance.choice((0, 0, 0.4, 0.8)))
        duration = int(chance.lognormvariate(0.6, 0.6) * 10**9)
        more = {
            "provider": provider,
            "request_model": model,
            "response_model": model,
            "ended": ended,
            "error_type": "429" if ended == "error" else None,
            "cache_read_tokens": cached,
            "duration_ns": duration,
            "operation_id": f"{service}-{chance.randrange(calls // 12):04d}",
        }
        row = usage(
            by=service,
            seq=numbers[service],
            ts=int(at.timestamp() * 10**6) * 1000 + numbers[service],
            tenant=tenant,
            operation=operation,
            content=content,
            input_tokens=sent,
            output_tokens=answered,
            source=source,
            more=more,
        )
        yield row | {"ServiceName": service, "ResourceAttributes": row["ResourceAttributes"] | {"service.name": service}}
    for service, number in numbers.items():
        yield closing(number, by=service)


def _call(chance: random.Random, models: list[tuple[str, str, int]]) -> tuple[tuple[str, str], str, str, str]:
    """Who is called, by which service, what for, and for whom."""
    provider, model, _ = chance.choices(models, [weight for *_, weight in models])[0]
    service = chance.choice(list(SERVICES))
    tenant = chance.choices([name for name, _ in TENANTS], [weight for _, weight in TENANTS])[0]
    return (provider, model), service, chance.choice(SERVICES[service]), tenant


def _moment(chance: random.Random, end: datetime, days: int) -> datetime:
    """A moment: more of them later, in working hours, and from Monday to Friday."""
    while True:
        at = end - timedelta(seconds=days * 86_400 * (1 - math.sqrt(chance.random())))
        busy = (1.0 if at.weekday() < 5 else 0.25) * (0.15 + 0.85 * math.exp(-(((at.hour + at.minute / 60 - 14) / 4.5) ** 2)))
        if chance.random() < busy:
            return at.astimezone(timezone.utc)
