"""Anthropic's reports of an organization: usage of messages and costs, of the Usage and Cost API and of the Usage and Cost Analytics API.

Sources: "Usage and Cost API" and the references of `GET /v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`
(platform.claude.com/docs/en/manage-claude/usage-cost-api), which is the older API; "Usage and Cost Analytics API" and the types of the official SDK
(anthropic-sdk-python 2.14, `anthropic/types/beta/organization/analytics`) for the newer one, `GET /v1/organizations/analytics/usage` and `/cost`, a
beta since October 2026. A file may hold answers of either.

`uncached_input_tokens`, cache reads and cache writes are disjoint there; the ledger's input tokens are their sum. Amounts are decimal texts in cents.
The default workspace and requests from the console's workbench have no workspace and no key. Costs of the priority tier are in no cost report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tokentrail.bills.access import Access
from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.pages import Once, Page, live_pages, rows_of, saved_pages
from tokentrail.bills.reader import FromFiles, Live, Reader
from tokentrail.bills.report import Notes, Window
from tokentrail.bills.values import amount, count, currency, mapping_of, moment, text
from tokentrail.money import EXACT

__all__ = ["READERS"]

_USAGE: Final = "/v1/organizations/usage_report/messages"
_COSTS: Final = "/v1/organizations/cost_report"
_GROUPS: Final = ("model", "workspace_id", "api_key_id", "service_tier", "context_window")
"""Other words (`inference_geo`, `speed`) are read where a saved report has them."""
_BUCKETS_A_PAGE: Final = {"1d": "31", "1h": "168"}
_CENTS: Final = Decimal("0.01")
_DETAILS: Final = (
    *("context_window", "inference_geo", "speed", "product", "cost_type", "token_type"),
    *("account_id", "service_account_id", "agent_id", "session_id", "organization_id"),
)
_KNOWN: Final = frozenset(
    {
        *("uncached_input_tokens", "cache_read_input_tokens", "cache_creation", "output_tokens", "server_tool_use", "requests"),
        *("total_tokens", "amount", "list_amount"),
    }
)
_WRITES: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def _rows(pages: Iterator[Page], measured: str, notes: Notes) -> Iterator[tuple[Page, Mapping[str, Any], Mapping[str, Any]]]:
    """Yields interval and row: of a bucket with `results`, or of a row with its group and its numbers, as the Analytics API has it."""
    once = Once(notes, ("amount", "list_amount"))
    for page in pages:
        for found in rows_of(page):
            several = rows_of(Page(page.place, found), "results") if "results" in found else [_flat(page, found, measured)]
            span = {name: found.get(name) for name in ("starting_at", "ending_at")}
            for row in several:
                if once.is_new(page, span, row):
                    yield page, span, row


def _flat(page: Page, found: Mapping[str, Any], measured: str) -> Mapping[str, Any]:
    if measured not in found:
        raise BillError(f"{page.place}: it has a row without {measured!r}: is it another report?")
    try:
        return {**mapping_of(found.get("group"), "group"), **mapping_of(found[measured], measured)}
    except BillError as error:
        raise BillError(f"{page.place}: {error}") from None


def _usage_of(source: str, pages: Iterator[Page], notes: Notes) -> Iterator[BillLine]:
    for page, span, row in _rows(pages, "usage", notes):
        try:
            yield from _usage_lines(source, span, row, notes)
        except BillError as error:
            raise BillError(f"{page.place}: {error}") from None


def _usage_lines(source: str, span: Mapping[str, Any], row: Mapping[str, Any], notes: Notes) -> Iterator[BillLine]:
    if "amount" in row or "uncached_input_tokens" not in row:
        raise BillError("it is no report of usage: costs are read by anthropic-cost")
    written = mapping_of(row.get("cache_creation"), "cache_creation")
    notes.say_unknown(row, _KNOWN)
    notes.say_unknown(written, _WRITES)
    fresh = count(row["uncached_input_tokens"], "uncached_input_tokens") or 0
    reads = count(row.get("cache_read_input_tokens"), "cache_read_input_tokens") or 0
    short, hour = (count(written.get(name), name) or 0 for name in _WRITES)
    shared = _shared(span, row)
    yield BillLine(
        source=source,
        counts={
            "input_tokens": fresh + reads + short + hour,
            "output_tokens": count(row.get("output_tokens"), "output_tokens") or 0,
            "cache_read_tokens": reads,
            "cache_write_tokens": short + hour,
            "cache_write_1h_tokens": hour,
        },
        requests=count(row.get("requests"), "requests"),
        item="messages",
        **shared,
    )
    searches = count(mapping_of(row.get("server_tool_use"), "server_tool_use").get("web_search_requests"), "web_search_requests")
    if searches:
        yield BillLine(source=source, item="web_search", quantity=Decimal(searches), unit="calls", **shared)


def _costs_of(source: str, pages: Iterator[Page], notes: Notes) -> Iterator[BillLine]:
    for page, span, row in _rows(pages, "cost", notes):
        try:
            if "amount" not in row:
                raise BillError("it is no report of costs: usage is read by anthropic-usage")  # noqa: TRY301 - the place is added below
            notes.say_unknown(row, _KNOWN)
            paid = EXACT.multiply(amount(row["amount"], "amount"), _CENTS)
            item = text(row.get("description")) or text(row.get("token_type")) or text(row.get("cost_type"))
            yield BillLine(source=source, cost=paid, currency=currency(row.get("currency")), item=item, **_shared(span, row))
        except BillError as error:
            raise BillError(f"{page.place}: {error}") from None


def _shared(span: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    starts, ends = moment(text(span.get("starting_at")), "starting_at"), moment(text(span.get("ending_at")), "ending_at")
    if ends <= starts:
        raise BillError("it has an interval that ends before it starts")
    tier = text(row.get("service_tier"))
    return {
        "starts": starts,
        "ends": ends,
        "provider": "anthropic",
        "model": text(row.get("model")),
        "project": text(row.get("workspace_id")),
        "api_key": text(row.get("api_key_id")),
        "service_tier": tier,
        "batch": tier == "batch" if tier else None,
        "details": {name: text(row[name]) for name in _DETAILS if text(row.get(name))},
    }


def _live_usage(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    query = [*_asked(window, "bucket_width", _BUCKETS_A_PAGE[window.bucket]), *(("group_by[]", each) for each in _GROUPS)]
    return _usage_of("anthropic-usage", live_pages(access, _USAGE, query), notes)


def _live_costs(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    query = [*_asked(window, "bucket_width", _BUCKETS_A_PAGE["1d"]), ("group_by[]", "workspace_id"), ("group_by[]", "description")]
    return _costs_of("anthropic-cost", live_pages(access, _COSTS, query), notes)


def _live_newer_usage(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    return _usage_of("anthropic-analytics-usage", _newer_pages(access, "usage", window, _GROUPS), notes)


def _live_newer_costs(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    return _costs_of("anthropic-analytics-cost", _newer_pages(access, "cost", window, (*_GROUPS, "cost_type", "token_type")), notes)


def _newer_pages(access: Access, name: str, window: Window, groups: tuple[str, ...]) -> Iterator[Page]:
    """Yields the pages of a range, of which the API takes 31 days at a time."""
    since = window.since
    while since < window.until:
        until = min(since.replace(hour=0, minute=0, second=0, microsecond=0) + _LONGEST, window.until)
        asked = [*_asked(Window(since, until, window.bucket), "time_bucket_width", "1000"), ("order_by", "time"), ("order", "asc")]
        yield from live_pages(access, f"/v1/organizations/analytics/{name}", [*asked, *(("group_by[]", each) for each in groups)])
        since = until


def _asked(window: Window, width: str, per_page: str) -> list[tuple[str, str]]:
    times = {"starting_at": window.since, "ending_at": window.until}
    return [*((name, f"{each:%Y-%m-%dT%H:%M:%SZ}") for name, each in times.items()), (width, window.bucket), ("limit", per_page)]


def _from_files(read: Callable[[str, Iterator[Page], Notes], Iterator[BillLine]], source: str) -> FromFiles:
    def lines(paths: Sequence[Path], notes: Notes, _: BillMapping) -> Iterator[BillLine]:
        return read(source, saved_pages(paths, notes), notes)

    return lines


def _headers(key: str) -> Mapping[str, str]:
    return {"x-api-key": key, "anthropic-version": "2023-06-01"}


def _newer_headers(key: str) -> Mapping[str, str]:
    return {**_headers(key), "anthropic-beta": "analytics-usage-cost-2026-08-24"}


_URL: Final = "https://api.anthropic.com"
_VARIABLES: Final = ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ADMIN_KEY")
_KEY: Final = "an Admin API key of the organization (platform.claude.com/settings/admin-keys)"
_SAVED: Final = "answers of the API, saved as they came"
_LONGEST: Final = timedelta(days=31)
_SETTLES: Final = timedelta(hours=24)
"""Figures come in batches, within four hours typically and 24 at times (docs.estuary.dev, "Anthropic", of the Analytics API)."""

_USAGE_BY: Final = ("model", "project", "api_key", "batch", "service_tier", "item")
_FILES: Final = ("json", "jsonl")


READERS: Final = (
    Reader(
        name="anthropic-usage",
        title="Anthropic: usage of messages",
        provider="anthropic",
        states=("tokens", "items"),
        by=_USAGE_BY,
        files=_FILES,
        where=_SAVED,
        from_files=_from_files(_usage_of, "anthropic-usage"),
        live=Live(_URL, _VARIABLES, _KEY, _headers, _live_usage, settles=_SETTLES),
    ),
    Reader(
        name="anthropic-cost",
        title="Anthropic: costs of the organization",
        provider="anthropic",
        states=("cost",),
        by=("model", "project", "batch", "service_tier", "item"),
        files=_FILES,
        where=_SAVED,
        from_files=_from_files(_costs_of, "anthropic-cost"),
        live=Live(_URL, _VARIABLES, _KEY, _headers, _live_costs, buckets=("1d",), settles=_SETTLES),
    ),
    Reader(
        name="anthropic-analytics-usage",
        title="Anthropic: usage, of the Analytics API (beta)",
        provider="anthropic",
        states=("tokens", "requests", "items"),
        by=_USAGE_BY,
        files=_FILES,
        where=_SAVED,
        from_files=_from_files(_usage_of, "anthropic-analytics-usage"),
        live=Live(_URL, _VARIABLES, _KEY, _newer_headers, _live_newer_usage, settles=_SETTLES),
    ),
    Reader(
        name="anthropic-analytics-cost",
        title="Anthropic: costs, of the Analytics API (beta)",
        provider="anthropic",
        states=("cost",),
        by=_USAGE_BY,
        files=_FILES,
        where=_SAVED,
        from_files=_from_files(_costs_of, "anthropic-analytics-cost"),
        live=Live(_URL, _VARIABLES, _KEY, _newer_headers, _live_newer_costs, settles=_SETTLES),
    ),
)
