"""OpenAI's reports of an organization: usage by kind of call, and costs by line item.

Sources: the API reference, "Usage" and "Costs" (platform.openai.com/docs/api-reference/usage); the types of the official SDK (openai-python 3.54,
`openai/types/admin/organization/usage_*`), which state what each field includes; the recorded answers in openai-cookbook,
`examples/completions_usage_api.ipynb`.

Input tokens include tokens read from and written to caches, as in the ledger. `input_audio_tokens` and `input_image_tokens` are without cached ones,
which are fields of their own. Moderations are free of charge and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from tokentrail.bills.access import Access, Answered
from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.pages import Once, Page, live_pages, rows_of, saved_pages
from tokentrail.bills.reader import Live, Reader
from tokentrail.bills.report import Notes, Window
from tokentrail.bills.values import amount, count, currency, mapping_of, of_unix, text

__all__ = ["READERS"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One path of the API, and the groupings to ask for: where one is refused, the next one. Of a kind that is optional, a refusal is no error."""

    name: str
    by: tuple[tuple[str, ...], ...]
    is_optional: bool = True


_PLAIN: Final = (("project_id", "api_key_id", "model"),)
_MODELS: Final = (("project_id", "api_key_id", "model", "batch", "service_tier"), ("project_id", "api_key_id", "model", "batch"))
_KINDS: Final = (
    _Kind("completions", _MODELS, is_optional=False),
    _Kind("embeddings", _PLAIN),
    _Kind("images", _PLAIN),
    _Kind("audio_speeches", _PLAIN),
    _Kind("audio_transcriptions", _PLAIN),
    _Kind("decisions", _MODELS),
    _Kind("web_search_calls", _PLAIN),
    _Kind("file_search_calls", (("project_id", "api_key_id"),)),
    _Kind("vector_stores", (("project_id",),)),
    _Kind("code_interpreter_sessions", (("project_id",),)),
)
_FREE: Final = "moderations"
_COSTS: Final = _Kind("costs", (("project_id", "line_item", "api_key_id"), ("project_id", "line_item")), is_optional=False)
_BUCKETS_A_PAGE: Final = {"1d": "31", "1h": "168"}
_REFUSED: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)

_COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("input_cached_tokens",),
    "cache_write_tokens": ("input_cache_write_tokens",),
    "audio_input_tokens": ("input_audio_tokens", "input_cached_audio_tokens"),
    "audio_output_tokens": ("output_audio_tokens",),
    "image_input_tokens": ("input_image_tokens", "input_cached_image_tokens"),
    "image_output_tokens": ("output_image_tokens",),
}
"""A count of the ledger, and the fields whose sum it is."""
_PARTS: Final = frozenset(
    {
        *("input_text_tokens", "input_uncached_tokens", "input_cached_text_tokens", "output_text_tokens"),
        *("input_cache_write_30m_tokens", "input_cache_write_12h_tokens"),
    }
)
"""Divisions of these counts of which the ledger has none."""
_QUANTITIES: Final = {
    "images": "images",
    "characters": "characters",
    "seconds": "seconds",
    "usage_bytes": "bytes",
    "num_sessions": "sessions",
    "num_requests": "calls",
}
_KNOWN: Final = frozenset({"num_model_requests", *_PARTS, *_QUANTITIES, *(name for names in _COUNTS.values() for name in names)})
_DETAILS: Final = ("user_id", "size", "source", "context_level", "vector_store_id", "api_source")
_RESULT: Final = re.compile(r"organization\.usage\.([a-z0-9_]+)\.result")


def _usage_of(pages: Iterator[Page], notes: Notes) -> Iterator[BillLine]:
    once = Once(notes)
    for page, bucket, result in _results(pages, once):
        kind = _RESULT.fullmatch(text(result.get("object")))
        if kind is None:
            raise BillError(f"{page.place}: {_foreign(result)}")
        if kind[1] == _FREE:
            notes.say("usage of moderations, which are free of charge, was left out")
            continue
        try:
            yield _usage_line(kind[1], bucket, result, notes)
        except BillError as error:
            raise BillError(f"{page.place}: {error}") from None


def _results(pages: Iterator[Page], once: Once) -> Iterator[tuple[Page, Mapping[str, Any], Mapping[str, Any]]]:
    for page in pages:
        for bucket in rows_of(page):
            span = {"start_time": str(bucket.get("start_time")), "end_time": str(bucket.get("end_time"))}
            for result in rows_of(Page(page.place, bucket), "results"):
                if once.is_new(page, span, result):
                    yield page, bucket, result


def _foreign(result: Mapping[str, Any]) -> str:
    if result.get("object") == "organization.costs.result":
        return "it is a report of costs, which openai-cost reads"
    return "it has a result that is none of OpenAI's usage API"


def _usage_line(kind: str, bucket: Mapping[str, Any], result: Mapping[str, Any], notes: Notes) -> BillLine:
    counts = {}
    for name, fields in _COUNTS.items():
        stated = [number for each in fields if (number := count(result.get(each), each)) is not None]
        if stated:
            counts[name] = sum(stated)
    measured = next((each for each in _QUANTITIES if result.get(each) is not None), "")
    is_aside = kind.startswith("web_search")  # the model's own request is among the completions
    notes.say_unknown(result, _KNOWN)
    batch = result.get("batch")
    return BillLine(
        source="openai-usage",
        counts=counts,
        requests=None if is_aside else count(result.get("num_model_requests"), "num_model_requests"),
        batch=batch if isinstance(batch, bool) else None,
        service_tier=text(result.get("service_tier")),
        model=text(result.get("model")),
        item=kind,
        quantity=amount(result[measured], measured) if measured else None,
        unit=_QUANTITIES.get(measured, ""),
        **_shared(bucket, result),
    )


def _shared(bucket: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    starts, ends = of_unix(bucket.get("start_time"), "start_time"), of_unix(bucket.get("end_time"), "end_time")
    if ends <= starts:
        raise BillError("it has a bucket that ends before it starts")
    return {
        "starts": starts,
        "ends": ends,
        "provider": "openai",
        "project": text(result.get("project_id")),
        "api_key": text(result.get("api_key_id")),
        "details": {name: text(result[name]) for name in _DETAILS if text(result.get(name))},
    }


def _costs_of(pages: Iterator[Page], notes: Notes) -> Iterator[BillLine]:
    once = Once(notes)
    for page, bucket, result in _results(pages, once):
        if result.get("object") != "organization.costs.result":
            raise BillError(f"{page.place}: it has a result that is none of OpenAI's costs API: usage is read by openai-usage")
        try:
            yield _cost_line(bucket, result)
        except BillError as error:
            raise BillError(f"{page.place}: {error}") from None


def _cost_line(bucket: Mapping[str, Any], result: Mapping[str, Any]) -> BillLine:
    paid = mapping_of(result.get("amount"), "amount")
    item = text(result.get("line_item"))
    quantity = result.get("quantity")
    return BillLine(
        source="openai-cost",
        model=item.rpartition(", ")[0],  # "gpt-4o-2024-08-06, input"; an item without a model has no comma
        item=item,
        cost=None if paid.get("value") is None else amount(paid["value"], "amount"),
        currency=currency(paid.get("currency")),
        quantity=None if quantity is None else amount(quantity, "quantity"),
        unit=text(result.get("quantity_unit")),
        **_shared(bucket, result),
    )


def _live_pages(access: Access, path: str, kind: _Kind, window: Window, per_page: str, notes: Notes) -> Iterator[Page]:
    """Yields the pages by the finest grouping that the API takes; none of a kind that the API does not have."""
    asked = [
        ("start_time", str(int(window.since.timestamp()))),
        ("end_time", str(int(window.until.timestamp()))),
        ("bucket_width", window.bucket),
        ("limit", per_page),
    ]
    refused: Answered | None = None
    for groups in kind.by:
        expected = _REFUSED if kind.is_optional else (HTTPStatus.BAD_REQUEST,) if groups != kind.by[-1] else ()
        try:
            yield from live_pages(access, path, [*asked, *(("group_by[]", each) for each in groups)], expected)
        except Answered as answer:
            refused = answer
        else:
            if refused:
                notes.say(f"the API does not group {kind.name} by {', '.join(kind.by[0])}; asked for by {', '.join(groups)}")
            return
    notes.say(f"the API answers with status {refused.status_code if refused else 0} for {kind.name}, which were not read")


def _live_usage(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    for kind in _KINDS:
        path = f"/organization/usage/{kind.name}"
        yield from _usage_of(_live_pages(access, path, kind, window, _BUCKETS_A_PAGE[window.bucket], notes), notes)


def _live_costs(access: Access, window: Window, notes: Notes) -> Iterator[BillLine]:
    yield from _costs_of(_live_pages(access, "/organization/costs", _COSTS, window, "180", notes), notes)


def _usage_from_files(paths: Sequence[Path], notes: Notes, _: BillMapping) -> Iterator[BillLine]:
    return _usage_of(saved_pages(paths, notes), notes)


def _costs_from_files(paths: Sequence[Path], notes: Notes, _: BillMapping) -> Iterator[BillLine]:
    return _costs_of(saved_pages(paths, notes), notes)


def _headers(key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {key}"}


_URL: Final = "https://api.openai.com/v1"
_KEY: Final = "an admin key of the organization (platform.openai.com/settings/organization/admin-keys)"
_SAVED: Final = "answers of the API, saved as they came"

READERS: Final = (
    Reader(
        name="openai-usage",
        title="OpenAI: usage of the organization",
        provider="openai",
        states=("tokens", "requests", "items"),
        by=("model", "project", "api_key", "batch", "service_tier", "item"),
        files=("json", "jsonl"),
        where=_SAVED,
        from_files=_usage_from_files,
        live=Live(_URL, ("OPENAI_ADMIN_KEY",), _KEY, _headers, _live_usage),
    ),
    Reader(
        name="openai-cost",
        title="OpenAI: costs of the organization",
        provider="openai",
        states=("cost", "items"),
        by=("model", "project", "api_key", "item"),
        files=("json", "jsonl"),
        where=_SAVED,
        from_files=_costs_from_files,
        live=Live(_URL, ("OPENAI_ADMIN_KEY",), _KEY, _headers, _live_costs, buckets=("1d",)),
    ),
)
