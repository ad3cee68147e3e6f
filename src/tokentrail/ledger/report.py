"""Sums tokens and calls of the view `usage`, by any of its dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, read

__all__ = ["DIMENSIONS", "MEASURES", "UnknownDimensionError", "parse_time", "report"]

DIMENSIONS: Final = (
    "provider",
    "model",
    "tenant_id",
    "operation",
    "token_type",
    "source",
    "ended",
    "day",
    "hour",
    "month",
    "endpoint",
    "environment",
    "error_type",
    "input_source",
    "instrumentation",
    "key_kind",
    "model_family",
    "operation_id",
    "operation_name",
    "origin",
    "output_source",
    "request_model",
    "response_model",
    "service_name",
    "stream",
    "tokenizer",
    "writer_id",
)
MEASURES: Final = tuple(column.name for column in read("report").columns)

_TIMES: Final = ("month", "day", "hour")


class UnknownDimensionError(ValueError):
    """A dimension that the view does not have. The sentence lists the view's dimensions."""


def report(
    client: Client, by: Sequence[str], *, start: str | None = None, end: str | None = None, tenants: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Returns one row per combination of `by`, with `MEASURES`; a measure that no record states is `None`.

    `start` (included) and `end` (excluded) are UTC times as `parse_time` returns them, None for no bound; no `tenants` means all.
    Rows are sorted by time if `by` has a time, then by tokens, descending.
    """
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown:
        raise UnknownDimensionError(f"no dimension {unknown[0]!r}: use some of {', '.join(DIMENSIONS)}")
    columns = list(dict.fromkeys(by))
    order = [name for name in _TIMES if name in columns] + ["ifNull(input_tokens, 0) + ifNull(output_tokens, 0) DESC"] + columns
    slots = {
        "dimensions": "".join(f"{name}, " for name in columns),
        "grouping": f"GROUP BY {', '.join(columns)}" if columns else "",
        "order": f"ORDER BY {', '.join(order)}" if columns else "",
    }
    given = {"from": start, "to": end, "tenants": list(tenants)}
    return answer(client, "report", {name: value for name, value in given.items() if value is not None}, slots).dicts()


def parse_time(text: str) -> str:
    """Converts a date or time in ISO 8601 to ClickHouse's notation, in UTC: `2026-11-01`, `2026-11-01T12:30:00Z`, `2026-11-01 14:30+02:00`.

    A text without a zone is UTC. Raises `ValueError` for anything else.
    """
    text = text.strip()
    try:
        if len(text) == len("2026-11-01"):
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), timezone.utc)
        else:
            moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" and text else text)
            moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: write 2026-11-01 or 2026-11-01T12:30:00Z") from None
    if not 1900 <= moment.year <= 2261:  # noqa: PLR2004 - the range of DateTime64(9)
        raise ValueError(f"{text!r} is not between the years 1900 and 2261")
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
