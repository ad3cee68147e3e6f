"""A bill beside a ledger: lines by hand, and the calls that they are about."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.ledger_rows import Row, usage
from tokentrail.bills.line import BillLine

DAY = datetime(2026, 11, 18, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
MODEL = "gpt-4o-mini-2024-07-18"
SECOND = 10**9


def at(day: int = 0, hour: float = 12.0) -> int:
    """A moment of a day, counted from DAY, in nanoseconds."""
    return int((DAY + timedelta(days=day, hours=hour)).timestamp()) * SECOND


def calls(number: int, *, day: int = 0, hour: float = 12.0, by: str = "w1", first: int = 1, model: str = MODEL, **fields: Any) -> list[Row]:
    """So many calls of a day, of 10 input and 5 output tokens each."""
    more = {"response_model": model, "request_model": model} | fields.pop("more", {})
    return [usage(by=by, seq=first + place, ts=at(day, hour) + place, content=f"{by}{first + place}", more=more, **fields) for place in range(number)]


def line(
    number: int | None = None,
    *,
    day: int = 0,
    source: str = "openai-usage",
    provider: str = "openai",
    model: str = MODEL,
    cost: str | None = None,
    hours: tuple[int, int] = (0, 24),
    **fields: Any,
) -> BillLine:
    """A line about so many calls of a day, of 10 input and 5 output tokens each; or about money."""
    starts, ends = (DAY + timedelta(days=day, hours=hour) for hour in hours)
    if number is not None:
        fields = {"requests": number, "counts": {"input_tokens": 10 * number, "output_tokens": 5 * number}} | fields
    if cost is not None:
        fields = {"cost": Decimal(cost), "currency": "USD"} | fields
    return BillLine(source, starts, ends, provider, model=model, **fields)


def by_day(numbers: Iterable[int], **fields: Any) -> list[BillLine]:
    """A line a day."""
    return [line(number, day=day, **fields) for day, number in enumerate(numbers)]


def invoice(path: Path, *numbers: int) -> Path:
    """A table of a provider with a row a day, from 18 November on."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["date", "provider", "model", "requests", "input_tokens", "output_tokens"])
        for day, number in enumerate(numbers):
            rows.writerow([f"2026-11-{18 + day}", "openai", MODEL, number, number * 10, number * 5])
    return path
