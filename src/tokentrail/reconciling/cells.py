"""The bill's side: lines of reports, summed to cells. Memory grows with the cells, not with the lines.

Lines that lie within one UTC day are summed to that day; any other interval is compared as it is. Intervals of one report and provider that overlap
(a month's fee beside days) are compared as one, since nobody could say which part of the ledger belongs to which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Final

from tokentrail.bills.line import BillLine
from tokentrail.idempotency import shorten
from tokentrail.money import EXACT
from tokentrail.reconciling.finding import Place, cost_of

__all__ = ["REQUESTS", "Billed", "Interval", "Range", "Report", "reports_of", "whole_days"]

Interval = tuple[datetime, datetime]
_DAY: Final = timedelta(days=1)
_SHORTEST_DAY: Final = timedelta(hours=23)
_FARTHEST: Final = timedelta(hours=14)
"""No time zone is farther from UTC."""
_YEARS: Final = (2000, 2261)
REQUESTS: Final = "requests"


@dataclass(frozen=True, slots=True)
class Range:
    """Whole UTC days to compare; None for no bound. `until` is excluded. `as_stated`: no further than the report's last line, as of a saved file.

    `over`: no interval that ends later, since it lasts still.
    """

    since: datetime | None = None
    until: datetime | None = None
    as_stated: bool = False
    over: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no day in the range."""
        return self.since is not None and self.until is not None and self.since >= self.until

    def holds(self, interval: Interval) -> bool:
        """Whether an interval lies in the range. A day or month of another zone is in the range with which it has most in common."""
        starts, ends = interval
        middle = starts + (ends - starts) / 2
        slack = _FARTHEST if ends - starts >= _SHORTEST_DAY else timedelta()
        after = self.since is None or (starts >= self.since - slack and middle >= self.since)
        before = self.until is None or (ends <= self.until + slack and middle < self.until)
        return after and before and (self.over is None or ends <= self.over)


@dataclass(slots=True)
class Billed:
    """What a report states of a cell. `parts`: the same by project and by key, which the cell may not divide."""

    figures: dict[str, Decimal] = field(default_factory=dict)
    parts: dict[tuple[str, str], dict[str, Decimal]] = field(default_factory=dict)
    batch: set[bool | None] = field(default_factory=set)
    items: set[str] = field(default_factory=set)

    def add(self, other: Billed) -> None:
        """Adds another cell's figures."""
        _add(self.figures, other.figures)
        for name, figures in other.parts.items():
            _add(self.parts.setdefault(name, {}), figures)
        self.batch |= other.batch
        self.items |= other.items


def _add(figures: dict[str, Decimal], others: Mapping[str, Decimal]) -> None:
    for name, value in others.items():
        figures[name] = EXACT.add(figures.get(name, Decimal(0)), value)


@dataclass(slots=True)
class Report:
    """The lines of one source about one provider."""

    source: str
    provider: str
    cells: dict[tuple[Interval, str, str, str], Billed] = field(default_factory=lambda: defaultdict(Billed))
    lines: int = 0
    usual: Sequence[str] = ()
    """What a report without lines would state, if there were any."""

    def add(self, interval: Interval, line: BillLine) -> None:
        """Adds a line."""
        figures = {name: Decimal(value) for name, value in line.counts.items()}
        if line.requests is not None:
            figures[REQUESTS] = Decimal(line.requests)
        if line.cost is not None:
            figures[cost_of(line.currency)] = line.cost
        model, project, api_key, item = (shorten(text) for text in (line.model, line.project, line.api_key, line.item))
        parts = {("project", project): figures, ("key", api_key): figures}
        billed = Billed(figures, {name: dict(of) for name, of in parts.items() if name[1]}, {line.batch}, {item} if item else set())
        self.cells[interval, model, project, api_key].add(billed)
        self.lines += 1

    @property
    def measures(self) -> list[str]:
        """All that the report states of any cell."""
        return sorted({measure for billed in self.cells.values() for measure in billed.figures} if self.cells else self.usual)

    @property
    def models(self) -> frozenset[str]:
        """The models that the report names."""
        return frozenset(model for _, model, _, _ in self.cells if model)

    @property
    def states_projects(self) -> bool:
        """Whether any line names a project."""
        return any(project for _, _, project, _ in self.cells)

    @property
    def states_keys(self) -> bool:
        """Whether any line names a key."""
        return any(key for _, _, _, key in self.cells)

    @property
    def is_daily(self) -> bool:
        """Whether all intervals are UTC days."""
        return all(_is_day(interval) for interval, _, _, _ in self.cells)

    @property
    def bounds(self) -> Interval | None:
        """The first and the last moment of all lines; None where there is no line."""
        intervals = [interval for interval, _, _, _ in self.cells]
        return (min(first for first, _ in intervals), max(last for _, last in intervals)) if intervals else None

    def intervals(self, wanted: Range) -> list[Interval]:
        """Returns the intervals that are compared, in order: all days of the range where the report is one of days, else those that it states."""
        if self.is_daily:
            first, last = self.bounds or (wanted.since, wanted.until)
            starts, ends = wanted.since or first, last if wanted.as_stated else wanted.until or last
            return list(_days(starts, ends)) if starts and ends else []
        united: list[Interval] = []
        for first, last in sorted({interval for interval, _, _, _ in self.cells}):
            if united and first < united[-1][1]:
                united[-1] = united[-1][0], max(united[-1][1], last)
            else:
                united.append((first, last))
        return united

    def grouped(self, intervals: Iterable[Interval], subject: str, *, by_project: bool, by_key: bool) -> dict[Place, Billed]:
        """Returns the cells as they are compared; `subject` is that of their places."""
        listed, is_daily = list(intervals), self.is_daily
        found: dict[Place, Billed] = {}
        for (interval, model, project, key), billed in self.cells.items():
            first, last = interval if is_daily else next(each for each in listed if each[0] <= interval[0] and interval[1] <= each[1])
            place = Place(self.source, first, last, self.provider, model, project if by_project else "", key if by_key else "", subject)
            found.setdefault(place, Billed()).add(billed)
        return found


def reports_of(lines: Iterable[BillLine], wanted: Range) -> tuple[list[Report], int]:
    """Sums lines by source and provider. Returns the reports, and how many lines lie outside the range."""
    reports: dict[tuple[str, str], Report] = {}
    outside = 0
    for line in lines:
        interval = _interval(line)
        if interval is None or not wanted.holds(interval):
            outside += 1
            continue
        reports.setdefault((line.source, line.provider), Report(line.source, line.provider)).add(interval, line)
    return [reports[key] for key in sorted(reports)], outside


def _interval(line: BillLine) -> Interval | None:
    """Returns the interval of a line: its day where the line lies within one; None for one that ends before it begins, or that no ledger holds."""
    if line.ends <= line.starts or line.starts.year < _YEARS[0] or line.ends.year > _YEARS[1]:
        return None
    day = _midnight(line.starts)
    return (day, day + _DAY) if line.ends <= day + _DAY else (line.starts.astimezone(timezone.utc), line.ends.astimezone(timezone.utc))


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(timezone.utc).date(), time(), timezone.utc)


def whole_days(since: datetime | None, until: datetime | None) -> Range:
    """Returns the range of whole days: a day that is in it only in part is left out."""
    first = None if since is None else _midnight(since) + (_DAY if since != _midnight(since) else timedelta())
    return Range(first, None if until is None else _midnight(until))


def _is_day(interval: Interval) -> bool:
    return interval[0] == _midnight(interval[0]) and interval[1] - interval[0] == _DAY


def _days(first: datetime, last: datetime) -> Iterator[Interval]:
    while first < last:
        yield first, first + _DAY
        first += _DAY
