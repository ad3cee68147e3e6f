"""A ledger as a team's might be, for pictures of dashboards: a shop with some tenants, days and nights, a bad hour of one provider, a new feature."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.ledger_rows import Row, claimed, closing, moment, refused, usage
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

SECOND = 10**9
HOUR = 3600 * SECOND
DAYS = 14
"""The last seven of the days are shown; those before are what the last are compared with."""
TENANTS = {"acme": 8, "globex": 5, "initech": 3, "umbrella": 3, "hooli": 2, "stark": 1, "wayne": 1, "": 0.3}
PRICES = """
[[price]]
provider = "openai"
model = "gpt-4o-mini"
input = "0.15"
cache_read = "0.075"
output = "0.60"

[[price]]
provider = "openai"
model = "gpt-4o"
input = "2.50"
cache_read = "1.25"
output = 10

[[price]]
provider = "openai"
model = "text-embedding-3-small"
input = "0.02"
output = 0

[[price]]
provider = "anthropic"
model = "claude-sonnet-4-5"
input = 3
cache_read = "0.30"
output = 15

[[price]]
provider = "groq"
model = "llama-3.3-70b-versatile"
input = "0.59"
output = "0.79"
"""
"""Made for the pictures; the local model has none, and is shown as unpriced."""


@dataclass(frozen=True)
class Use:
    """What a service calls a model for: how often (calls an hour at noon), and how large its calls are."""

    service: str
    operation: str
    provider: str
    model: str
    hourly: float
    given: int
    output: int
    seconds: float
    since_day: int = 0
    token_type: str = "llm"


USES = (
    Use("shop", "chat", "openai", "gpt-4o-mini", 14, 1_800, 260, 2.1),
    Use("shop", "summarize", "anthropic", "claude-sonnet-4-5", 3, 5_200, 640, 7.5),
    Use("search", "vector_search", "openai", "text-embedding-3-small", 11, 900, 0, 0.3, token_type="embedding"),
    Use("search", "query", "groq", "llama-3.3-70b-versatile", 6, 2_400, 330, 0.9),
    Use("back-office", "classification", "ollama", "llama3.2", 4, 700, 40, 1.4),
    Use("back-office", "generation", "openai", "gpt-4o", 2, 3_000, 900, 9.0, since_day=10),
)


def _load(ts: int) -> float:
    """How busy an hour is: most at two in the afternoon, little at night, half at weekends."""
    hour = ts // HOUR % 24
    daily = 0.15 + 0.85 * max(0.0, math.sin((hour - 6) / 16 * math.pi)) if 6 <= hour <= 22 else 0.12
    return daily * (0.5 if (ts // HOUR // 24 + 3) % 7 >= 5 else 1.0)  # the first day of 1970 was a Thursday


def calls(end: int) -> Iterator[Row]:
    """The same calls every time, in the order of time, up to the nanosecond `end`."""
    chance = random.Random(7)
    numbers: dict[str, int] = {}
    for hour in range(DAYS * 24):
        start = end - (DAYS * 24 - hour) * HOUR
        bad = hour // 24 == DAYS - 3 and start // HOUR % 24 in (13, 14, 15)
        for use in USES:
            if hour < use.since_day * 24:
                continue
            often = use.hourly * _load(start) * chance.uniform(0.7, 1.3)
            for _ in range(int(often) + (chance.random() < often % 1)):
                numbers[use.service] = seq = numbers.get(use.service, 0) + 1
                if use.service == "search" and 900 <= seq < 904:
                    continue  # a process was killed with its disk: these never arrive
                yield _call(use, start + chance.randrange(HOUR), seq, chance, bad=bad)


def _call(use: Use, ts: int, seq: int, chance: random.Random, *, bad: bool) -> Row:
    failed = chance.random() < (0.45 if bad and use.provider == "groq" else 0.012)
    cut = not failed and use.output > 100 and chance.random() < 0.02
    given, output = (max(1, round(size * chance.lognormvariate(0, 0.45))) for size in (use.given, max(use.output, 1)))
    duration = round(use.seconds * chance.lognormvariate(0, 0.4) * SECOND)
    cached = given * chance.choice((0, 0, 50, 70)) // 100 if use.operation in ("chat", "summarize") else None
    tenant = chance.choices(list(TENANTS), list(TENANTS.values()))[0]
    row = usage(
        by=use.service,
        seq=seq,
        ts=ts,
        tenant=tenant,
        operation=use.operation,
        content=f"{use.operation} {chance.randrange(4000)}",
        input_tokens=None if failed else given,
        output_tokens=None if failed else output if use.output else 0,
        source="unknown" if failed else "estimated" if cut else "reported",
        more={
            "provider": use.provider,
            "request_model": use.model,
            "response_model": use.model,
            "token_type": use.token_type,
            "endpoint": "embeddings" if use.token_type == "embedding" else "chat",
            "ended": "error" if failed else "partial" if cut else "complete",
            "error_type": ("429" if bad else chance.choice(("500", "openai.APITimeoutError"))) if failed else None,
            "attempts": 3 if failed else chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 2)),
            "duration_ns": duration,
            "time_to_first_chunk_ns": duration // 6 if use.output > 200 else None,
            "cache_read_tokens": None if failed else cached,
            "operation_id": f"{use.operation}-{ts // HOUR}-{chance.randrange(40)}",
        },
    )
    resource = row["ResourceAttributes"] | {"service.name": use.service, "deployment.environment.name": "prod"}
    arrived = {"arrived_at": moment(ts + duration + round(chance.lognormvariate(0.7, 0.8) * SECOND))}
    return row | arrived | {"ServiceName": use.service, "ResourceAttributes": resource, "TraceId": f"{ts:032x}", "SpanId": f"{seq:016x}"}


def disorder(end: int) -> Iterator[Row]:
    """What the ledger keeps apart or counts once: two accounts of one key, a record that nobody understands, refused records, a closed writer."""
    ts = end - 5 * HOUR
    yield claimed("batch_6711", by="batch", seq=1, ts=ts, input_tokens=12_800, operation="batch")
    yield claimed("batch_6711", by="batch", seq=2, ts=ts, input_tokens=13_500, operation="batch")
    yield usage(by="batch", seq=3, ts=ts, input_tokens="a lot")
    yield refused("4-6", by="batch")
    yield closing(6, by="batch")


def sizes(end: int) -> Iterator[Row]:
    """What journals hold: little, and more while ClickHouse was away for an hour."""
    for minutes in range(0, 7 * 24 * 60, 30):
        away = 90 <= minutes - 2 * 24 * 60 < 150
        for service in ("shop", "search", "back-office"):
            value = (40.0 * (minutes - 2 * 24 * 60 - 60) if away else 2.0 + minutes % 7) * 1024
            yield {
                "ServiceName": service,
                "MetricName": semconv.METRIC_JOURNAL_BYTES,
                "TimeUnix": moment(end - 7 * 24 * HOUR + minutes * 60 * SECOND),
                "Value": value,
            }


def findings(end: int) -> Iterator[Row]:
    """What the bills of the last days differ in, and what was decided of it."""
    told = (
        ("8a2280a2777a", "open", 2, "gpt-4o", {"input_tokens": (140_000, 100_000), "requests": (130, 100)}, "tokentrail reconcile", ""),
        ("65ece83068a1", "explained", 3, "gpt-4o-mini", {"cost USD": ("12.4", "8.1")}, "ada", "the research team's key"),
        ("0de44dfcbdde", "corrected", 4, "gpt-4o-mini", {"input_tokens": (92_000, 61_000)}, "ben", "the nightly batch had no tracking"),
    )
    for number, state, days, model, figures, who, why in told:
        day = end - days * 24 * HOUR
        yield {
            "id": number,
            "version": 1,
            "row_id": number,
            "at": moment(end - 20 * HOUR)[:-6],
            "state": state,
            "source": "openai-cost" if "cost USD" in figures else "openai-usage",
            "provider": "openai",
            "model": model,
            "starts": f"{moment(day)[:10]} 00:00:00",
            "ends": f"{moment(day + 24 * HOUR)[:10]} 00:00:00",
            "measures": list(figures),
            "stated": [str(stated) for stated, _ in figures.values()],
            "counted": [str(counted) for _, counted in figures.values()],
            "explanations": ["this is exactly what key key_b has used: calls without tracking"] * (state == "open"),
            "who": who,
            "why": why,
        }


def fill(client: Client, end: int) -> None:
    """Puts the story into an empty, migrated database; the last hundred records arrive twice."""
    rows = [*calls(end)]
    client.insert_json("usage_landing", rows)
    client.insert_json("usage_landing", [*rows[-100:], *(row | {"arrived_at": moment(end - 4 * HOUR)} for row in disorder(end))])
    client.insert_json("otel_metrics_gauge", sizes(end))
    client.insert_json("findings", findings(end))
    load(client, parse(PRICES))
