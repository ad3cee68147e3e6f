"""Bill and ledger, compared cell by cell: what differs, and what cannot be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.counts import COUNTS
from tokentrail.reconciling.cells import REQUESTS, Billed, Interval, Range, Report
from tokentrail.reconciling.counted import Counted, Row, Sides, rows_of
from tokentrail.reconciling.finding import COST, Figure, Finding, Place
from tokentrail.reconciling.models import Models
from tokentrail.reconciling.tolerance import Tolerance
from tokentrail.wording import counted as number_of

__all__ = ["Cell", "Compared", "compare"]

_NOTHING: Final = Decimal(0)
_ORDER: Final = (*(count.name for count in COUNTS), REQUESTS)


@dataclass(frozen=True, slots=True)
class Cell:
    """Both sides of a place."""

    place: Place
    billed: Billed
    counted: Counted


@dataclass(slots=True)
class Compared:
    """What came of a comparison. `covered`: source, provider and interval of all that was compared; `left_out`: ids of cells that were not."""

    cells: dict[Place, Cell] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    covered: list[tuple[str, str, Interval]] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)

    def covers(self, place: Place) -> bool:
        """Whether a place was looked at, so that a finding there that was not found again is gone."""
        return place.id not in self.left_out and any(
            (place.source, place.provider) == (source, provider) and first <= place.starts and place.ends <= last
            for source, provider, (first, last) in self.covered
        )


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a report is compared; the ledger is asked once for all reports of one shape, since to plan the question costs more than to answer it."""

    intervals: tuple[Interval, ...]
    by_project: bool
    by_key: bool
    with_costs: bool


def compare(client: Client, reports: Sequence[Report], sides: Sides, tolerance: Tolerance, wanted: Range) -> Compared:
    """Compares reports with the ledger. Raises `ClickHouseError`."""
    compared = Compared()
    by_shape: dict[_Shape, list[Report]] = {}
    for report in reports:
        compared.remarks += _levels(report, sides)
        by_shape.setdefault(_shape_of(report, sides, _common(reports, report.source, wanted)), []).append(report)
    for shape, alike in by_shape.items():
        asked = Sides(sides.project if shape.by_project else "", sides.api_key if shape.by_key else "", sides.names, sides.where)
        providers = sorted({report.provider for report in alike})
        rows = list(rows_of(client, shape.intervals, asked, providers=providers, daily=alike[0].is_daily, cost=shape.with_costs))
        for report in alike:
            counted = _counted(report, (row for row in rows if row.provider == report.provider))
            billed = report.grouped(shape.intervals, by_project=shape.by_project, by_key=shape.by_key)
            cells = {place: Cell(place, billed.get(place, Billed()), counted.get(place, Counted())) for place in sorted({*billed, *counted})}
            compared.cells |= cells
            compared.covered += [(report.source, report.provider, interval) for interval in _ranges(shape.intervals)]
            _judge(compared, cells.values(), report.measures, asked, tolerance)
    return compared


def _common(reports: Sequence[Report], source: str, wanted: Range) -> Range:
    """Returns the range of one source: its lines about all providers say from when to when it tells of anything."""
    bounds = [report.bounds for report in reports if report.source == source and report.is_daily]
    if not bounds:
        return wanted
    last = max(last for _, last in bounds)
    return Range(wanted.since or min(first for first, _ in bounds), last if wanted.as_stated else wanted.until or last)


def _shape_of(report: Report, sides: Sides, wanted: Range) -> _Shape:
    return _Shape(
        intervals=tuple(report.intervals(wanted)),
        by_project=bool(sides.project) and report.states_projects,
        by_key=bool(sides.api_key) and report.states_keys,
        with_costs=any(measure.startswith(COST) for measure in report.measures),
    )


def _levels(report: Report, sides: Sides) -> list[str]:
    """Returns what the ledger cannot be divided by."""
    unknown = [
        what
        for what, states, held in (("projects", report.states_projects, sides.project), ("keys", report.states_keys, sides.api_key))
        if states and not held
    ]
    if not unknown:
        return []
    options = " and ".join({"projects": "--project-in", "keys": "--key-in"}[what] for what in unknown)
    return [f"{report.source} {report.provider}: the ledger does not know the bill's {' and '.join(unknown)}, all are compared as one ({options})"]


def _ranges(intervals: Sequence[Interval]) -> list[Interval]:
    """Returns neighbouring intervals as one."""
    ranges: list[Interval] = []
    for first, last in intervals:
        if ranges and ranges[-1][1] == first:
            ranges[-1] = ranges[-1][0], last
        else:
            ranges.append((first, last))
    return ranges


def _counted(report: Report, rows: Iterable[Row]) -> dict[Place, Counted]:
    models = Models(report.models)
    found: dict[Place, Counted] = {}
    for row in rows:
        model = models.of(row.request_model, row.response_model)
        place = Place(report.source, *row.interval, row.provider, model, row.project, row.api_key)
        found.setdefault(place, Counted()).add(row.counted)
    return found


def _judge(compared: Compared, cells: Iterable[Cell], measures: Sequence[str], sides: Sides, tolerance: Tolerance) -> None:
    without_price: Counter[str] = Counter()
    for cell in cells:
        stated = set(cell.billed.figures) or set(measures)
        figures, left_out = [], False
        for measure in sorted(stated, key=_place_of):
            if measure.startswith(COST) and cell.counted.calls and measure not in cell.counted.figures:
                without_price[measure] += 1
                left_out = True
                continue
            figure = Figure(measure, cell.billed.figures.get(measure, _NOTHING), cell.counted.figures.get(measure, _NOTHING))
            if not tolerance.allows(figure):
                figures.append(figure)
        if figures:
            compared.findings.append(Finding(cell.place, figures, held=_held(cell, sides)))
        elif left_out:
            compared.left_out.add(cell.place.id)
    for measure, cells_without in sorted(without_price.items()):
        compared.remarks.append(
            f"{measure.removeprefix(COST)}: {number_of(cells_without, 'cell')} of the ledger without a price in this currency cannot be compared "
            "(tokentrail prices update)"
        )


def _held(cell: Cell, sides: Sides) -> dict[str, str]:
    """Returns what a record of the ledger has in its columns to belong to a cell."""
    held = {name: value for name, _, value in (each.partition("=") for each in sides.where)}
    for dimension, name in ((sides.project, cell.place.project), (sides.api_key, cell.place.api_key)):
        if dimension and name:
            held[dimension] = sides.of_ledger(name)
    if len(cell.counted.token_types) == 1:
        held["token_type"] = next(iter(cell.counted.token_types))
    if cell.billed.batch == {True}:
        held["endpoint"] = "batch"
    return held


def _place_of(measure: str) -> tuple[int, str]:
    return _ORDER.index(measure) if measure in _ORDER else len(_ORDER), measure
