"""OpenRouter's activity: by day, model and endpoint from its API, or by generation from the CSV that the activity page exports.

Sources: "Get user activity grouped by endpoint" (openrouter.ai/docs/api/api-reference/analytics), which needs a management key and tells of the last
thirty UTC days that are over; the types of the official SDK (openrouter 1.3, `components/activityitem.py`); "Activity Export"
(openrouter.ai/docs/cookbook/administration/activity-export). The CSV's columns are those of exports in public use: `generation_id`, `created_at`,
`cost_total`, `tokens_prompt`, `tokens_completion`, `tokens_reasoning`, `tokens_cached`, `model_permaslug`, `provider_name`, `api_key_name` …

`usage` and `cost_total` are credits, that is US dollars. Completion tokens include reasoning. What a provider bills for one's own key
(`byok_usage_inference`) is no cost of OpenRouter's, and is a line of its own without tokens. `prompt_tokens` include cached ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tokentrail.bills.access import Access
from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.pages import Once, Page, live_pages, opened, rows_of, saved_pages
from tokentrail.bills.reader import Live, Reader
from tokentrail.bills.report import Notes, Window
from tokentrail.bills.tables import csv_rows
from tokentrail.bills.values import Numbers, amount, count, moment, text, whole

__all__ = ["READERS"]

_COUNTS: Final = {
    "input_tokens": ("prompt_tokens", "tokens_prompt"),
    "output_tokens": ("completion_tokens", "tokens_completion"),
    "cache_read_tokens": ("cached_tokens", "tokens_cached"),
    "reasoning_tokens": ("reasoning_tokens", "tokens_reasoning"),
}
"""A count of the ledger, with its name in the API's answer and in the CSV."""
_COST: Final = "cost_total"
_OWN_KEY: Final = "byok_usage_inference"
_ITEM_OF_OWN_KEY: Final = "billed by the provider for one's own key"
_DETAILS: Final = ("provider_name", "model_permaslug", "endpoint_id", "variant", "app_name", "user")
_DAY: Final = timedelta(days=1)
_LONGEST: Final = 31
"""Days for which the API is asked one by one; for more of them it is asked once for all that it has."""


def _activity_of(pages: Iterator[Page], notes: Notes) -> Iterator[BillLine]:
    once = Once(notes)
    for page in pages:
        for row in rows_of(page):
            if not once.is_new(page, row):
                continue
            try:
                yield from _day_lines(row)
            except BillError as error:
                raise BillError(f"{page.place}: {error}") from None


def _day_lines(row: Mapping[str, Any]) -> Iterator[BillLine]:
    if "usage" not in row or "model" not in row:
        raise BillError("it is no row of OpenRouter's activity")
    starts = moment(text(row.get("date")), "date")
    if (starts.hour, starts.minute, starts.second, starts.microsecond) != (0, 0, 0, 0):
        raise BillError("date is no day")
    counts = {name: number for name, (field, _) in _COUNTS.items() if (number := count(row.get(field), field)) is not None}
    shared: dict[str, Any] = {
        "source": "openrouter",
        "starts": starts,
        "ends": starts + _DAY,
        "provider": "openrouter",
        "model": text(row["model"]),
        "project": text(row.get("workspace_id")),
        "currency": "USD",
        "details": {name: text(row[name]) for name in _DETAILS if text(row.get(name))},
    }
    yield BillLine(counts=counts, requests=count(row.get("requests"), "requests"), cost=amount(row["usage"], "usage"), **shared)
    yield from _for_own_key(amount(row.get(_OWN_KEY) or 0, _OWN_KEY), shared)


def _for_own_key(cost: Decimal, shared: Mapping[str, Any]) -> Iterator[BillLine]:
    if cost:
        yield BillLine(item=_ITEM_OF_OWN_KEY, cost=cost, **shared)


def _generations_of(path: Path, seen: set[str], notes: Notes) -> Iterator[BillLine]:
    """Yields a line for each generation of an exported CSV that is not among those seen, to which it is added."""
    rows = csv_rows(path)
    _, header = next(rows)
    places = {name: place for place, name in enumerate(header)}
    if missing := [name for name in ("created_at", _COST, "tokens_prompt", "tokens_completion", "model_permaslug") if name not in places]:
        raise BillError(f"{path} has no column {missing[0]!r}: it is no export of OpenRouter's activity, one line a generation")
    for number, cells in rows:
        row = {name: cells[place] for name, place in places.items()}
        generation = row.get("generation_id", "")
        if generation in seen:
            notes.say("a generation that is there twice was read once")
            continue
        if generation:
            seen.add(generation)
        try:
            yield from _generation_lines(row)
        except BillError as error:
            raise BillError(f"{path}, line {number}: {error}") from None


def _generation_lines(row: Mapping[str, str]) -> Iterator[BillLine]:
    numbers = Numbers()
    starts = moment(row["created_at"].strip(), "created_at")
    counts = {name: whole(number, field) for name, (_, field) in _COUNTS.items() if (number := numbers.read(row.get(field, ""), field)) is not None}
    model = row["model_permaslug"].strip()
    shared: dict[str, Any] = {
        "source": "openrouter",
        "starts": starts,
        "ends": starts + timedelta(microseconds=1),
        "provider": "openrouter",
        "model": model,
        "api_key": row.get("api_key_name", "").strip(),
        "currency": "USD",
        "details": {name: row[name].strip() for name in _DETAILS if row.get(name, "").strip()},
    }
    yield BillLine(counts=counts, requests=1, cost=numbers.read(row[_COST], _COST), **shared)
    yield from _for_own_key(numbers.read(row.get(_OWN_KEY, ""), _OWN_KEY) or Decimal(0), shared)


def _from_files(paths: Sequence[Path], notes: Notes, _: BillMapping) -> Iterator[BillLine]:
    answers = [path for path in paths if _is_json(path)]
    if answers:
        yield from _activity_of(saved_pages(answers, notes), notes)
    seen: set[str] = set()
    for path in paths:
        if path not in answers:
            yield from _generations_of(path, seen, notes)


def _is_json(path: Path) -> bool:
    with opened(path) as file:
        return file.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _live(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    """Asks for each day, so that the answers stay small; a day older than thirty is refused by the API with a sentence."""
    day = window.since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = -(-(window.until - day) // _DAY)
    asked = [f"{day + _DAY * number:%Y-%m-%d}" for number in range(days)] if days <= _LONGEST else [""]
    for date in asked:
        query = [("group_by", "workspace"), *([("date", date)] if date else [])]
        for line in _activity_of(live_pages(access, "/activity", query), notes):
            is_asked = line.starts.date().isoformat() == date if date else True
            if is_asked and window.since < line.ends and line.starts < window.until:
                yield line


def _headers(key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {key}"}


READERS: Final = (
    Reader(
        name="openrouter",
        title="OpenRouter: activity",
        provider="openrouter",
        states=("tokens", "requests", "cost"),
        by=("model", "project", "api_key"),
        files=("json", "jsonl", "csv"),
        where="answers of the API, or the CSV of openrouter.ai/activity with one line a generation",
        from_files=_from_files,
        live=Live(
            "https://openrouter.ai/api/v1",
            ("OPENROUTER_MANAGEMENT_KEY", "OPENROUTER_MANAGEMENT_API_KEY"),
            "a management key (openrouter.ai/settings/management-keys)",
            _headers,
            _live,
            buckets=("1d",),
            settles=timedelta(0),
            whole_days=True,
        ),
    ),
)
