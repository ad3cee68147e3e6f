"""Which calls a page is about: a range of time, the range of the same length before it, and filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Final

from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.times import parse_time, parse_zone

__all__ = ["FILTERS", "Selection", "of_texts"]

FILTERS: Final = {"providers": "provider", "models": "model", "tenants": "tenant_id", "operations": "operation"}
"""The questions' parameters of filters that a page offers, and the dimension that each is about."""
_ALL: Final = (*FILTERS, "services", "environments", "where")
_FORM: Final = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True, slots=True)
class Selection:
    """A range and filters. `start` and `end` are UTC times as `ledger.times.parse_time` returns them, None for no bound."""

    start: str | None = None
    end: str | None = None
    timezone: str = "UTC"
    """The zone of days and hours."""
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    """Further filters, NAME=VALUE."""

    @property
    def filters(self) -> Mapping[str, tuple[str, ...]]:
        """The filters that are set, by the questions' parameter."""
        return {name: getattr(self, name) for name in _ALL if getattr(self, name)}

    def parameters(self, **more: Parameter) -> dict[str, Parameter]:
        """Returns the parameters of a question."""
        given: dict[str, Parameter] = {name: list(values) for name, values in self.filters.items()}
        given |= {name: value for name, value in (("from", self.start), ("to", self.end)) if value is not None}
        return given | more

    def before(self, now: datetime) -> Selection | None:
        """Returns the selection of the range of the same length before; None without a start, and for a range that has not begun."""
        if self.start is None:
            return None
        start, end = _moment(self.start), min(now, _moment(self.end)) if self.end else now
        if end <= start:
            return None
        return replace(self, start=_earlier(start, end - start), end=self.start)

    def length(self, now: datetime) -> timedelta | None:
        """Returns the length of the range up to `now` at most; None without a start."""
        if self.start is None:
            return None
        return (min(now, _moment(self.end)) if self.end else now) - _moment(self.start)


def _moment(text: str) -> datetime:
    form = _FORM if "." in text else _FORM.removesuffix(".%f")
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)


def _earlier(start: datetime, length: timedelta) -> str:
    try:
        return max(start - length, datetime(1900, 1, 1, tzinfo=timezone.utc)).strftime(_FORM)
    except OverflowError:
        return "1900-01-01 00:00:00"


def of_texts(query: Mapping[str, str], now: datetime) -> Selection:
    """Returns the selection of an address of the dashboard: `from` (24h by default, `all` for no bound), `to`, `timezone`, and filters.

    A filter's value begins with =, so that the empty name can be chosen too. Raises ValueError, with a sentence, for anything else.
    """
    zone = query.get("timezone") or "UTC"
    known = parse_zone(zone)
    start, end = query.get("from") or "24h", query.get("to")
    chosen = {}
    for parameter in FILTERS:
        if value := query.get(parameter):
            if not value.startswith("="):
                raise ValueError(f"the filter {parameter} is {value[:60]!r}: a name stands behind an =")
            chosen[parameter] = (value[1:],)
    selection = Selection(
        start=None if start == "all" else parse_time(start, known, now=now),
        end=None if end is None else parse_time(end, known, now=now),
        timezone=zone,
        **chosen,
    )
    if selection.start is not None and selection.end is not None and selection.start >= selection.end:
        raise ValueError("from is not before to: the range is empty")
    return selection
