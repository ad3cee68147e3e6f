"""Which calls a page is about: a range of time, the range of the same length before it, and filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Final

from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.times import end_of, parse_time, parse_zone, period_before

__all__ = ["FILTERS", "Selection", "of_texts"]

FILTERS: Final = {"providers": "provider", "models": "model", "tenants": "tenant_id", "operations": "operation"}
"""The filters of the dashboard, and the dimension that each is about."""
_FORM: Final = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True, slots=True)
class Selection:
    """A range and filters. `start` and `end` are UTC times as `ledger.times.parse_time` returns them, None for no bound."""

    start: str | None = None
    end: str | None = None
    timezone: str = "UTC"
    """The zone of days and hours."""
    filters: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters of the query `filters`, beside the times."""

    def parameters(self, **more: Parameter) -> dict[str, Parameter]:
        """Returns the parameters of a question."""
        bounds = {name: value for name, value in (("from", self.start), ("to", self.end)) if value is not None}
        return {**self.filters, **bounds, **more}

    def before(self, now: datetime) -> Selection | None:
        """Returns the selection of the period before, as `report --change` compares; None without a start, and for a range that has not begun."""
        if self.start is None or _moment(self.start) >= now:
            return None
        start, end, _ = period_before(self.start, self.end, parse_zone(self.timezone), now=now)
        return replace(self, start=start, end=end)

    def length(self, now: datetime) -> timedelta | None:
        """Returns the length of the range up to `now` at most; None without a start."""
        if self.start is None:
            return None
        return (min(now, _moment(self.end)) if self.end else now) - _moment(self.start)


def _moment(text: str) -> datetime:
    form = _FORM if "." in text else _FORM.removesuffix(".%f")
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)


def of_texts(query: Mapping[str, str], now: datetime) -> Selection:
    """Returns the selection of an address of the dashboard: `from` (24h by default, `all`, `2026-11` the month), `to`, `timezone`, filters.

    A filter's value begins with =, so that the empty name can be chosen too. Raises ValueError, with a sentence, for anything else.
    """
    zone = query.get("timezone") or "UTC"
    known = parse_zone(zone)
    start, end = query.get("from") or "24h", query.get("to")
    chosen: dict[str, Parameter] = {}
    for parameter in FILTERS:
        if value := query.get(parameter):
            if not value.startswith("="):
                raise ValueError(f"the filter {parameter} is {value[:60]!r}: a name stands behind an =")
            # the questions' parameter `operations` is about names as they were given; the page shows the vocabulary's
            name, wanted = ("where", f"operation{value}") if parameter == "operations" else (parameter, value[1:])
            chosen[name] = [wanted]
    selection = Selection(
        start=None if start == "all" else parse_time(start, known, now=now),
        end=end_of(start, known) if end is None else parse_time(end, known, now=now),
        timezone=zone,
        filters=chosen,
    )
    if selection.start is not None and selection.end is not None and selection.start >= selection.end:
        raise ValueError("from is not before to: the range is empty")
    return selection
