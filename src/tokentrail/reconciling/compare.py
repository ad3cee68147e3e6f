"""Bill and ledger, compared cell by cell: what differs, and what cannot be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.counts import COUNTS
from tokentrail.money import EXACT
from tokentrail.reconciling.cells import REQUESTS, Billed, Interval, Range, Report
from tokentrail.reconciling.counted import Counted, Row, Sides, rows_of
from tokentrail.reconciling.finding import COST, MOST_DIGITS, Figure, Finding, Place
from tokentrail.reconciling.models import Models
from tokentrail.reconciling.states import VANISHED
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a report is compared; the ledger is asked once for all reports of one shape, since to plan the question costs more than to answer it."""

    intervals: tuple[Interval, ...]
    by_project: bool
    by_key: bool
    with_counts: bool
    with_costs: bool


@dataclass(frozen=True, slots=True)
class _Covered:
    """What was compared of a report, and how."""

    source: str
    provider: str
    subject: str
    ranges: Sequence[Interval]
    shape: _Shape

    def has(self, place: Place) -> bool:
        """Whether a place is a part of this. One of a project or a key is none where all are compared as one."""
        return (
            (place.source, place.provider, place.subject) == (self.source, self.provider, self.subject)
            and (self.shape.by_project or not place.project)
            and (self.shape.by_key or not place.api_key)
            and any(first <= place.starts and place.ends <= last for first, last in self.ranges)
        )


@dataclass(slots=True)
class Compared:
    """What came of a comparison. `left_out`: ids of cells that were not compared in all measures; `blank`: how many were in none."""

    cells: dict[Place, Cell] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    covered: list[_Covered] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    blank: int = 0
    remarks: list[str] = field(default_factory=list)

    def why_gone(self, place: Place) -> str:
        """Returns why a finding there that was not found again is gone; nothing where nobody has looked."""
        if place.id in self.left_out or not any(covered.has(place) for covered in self.covered):
            return ""
        is_finer = place not in self.cells and any(_is_part(finding.place, place) for finding in self.findings)
        return "the difference is told by project and key now" if is_finer else VANISHED


def _is_part(place: Place, of: Place) -> bool:
    """Whether a place is a project or a key of another one."""
    return replace(place, project=of.project, api_key=of.api_key) == of and of.project in ("", place.project) and of.api_key in ("", place.api_key)


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
        rows = list(
            rows_of(client, shape.intervals, asked, providers=providers, daily=alike[0].is_daily, counts=shape.with_counts, cost=shape.with_costs)
        )
        for report in alike:
            counted = _counted(report, sides.subject, (row for row in rows if row.provider == report.provider))
            billed = report.grouped(shape.intervals, sides.subject, by_project=shape.by_project, by_key=shape.by_key)
            cells = {place: Cell(place, billed.get(place, Billed()), counted.get(place, Counted())) for place in sorted({*billed, *counted})}
            compared.cells |= cells
            compared.covered.append(_Covered(report.source, report.provider, sides.subject, _ranges(shape.intervals), shape))
            _judge(compared, cells.values(), report.measures, asked, tolerance)
    return compared


def _common(reports: Sequence[Report], source: str, wanted: Range) -> Range:
    """Returns the range of one source: its lines about all providers say from when to when it tells of anything."""
    bounds = [report.bounds for report in reports if report.source == source and report.is_daily and report.bounds]
    if not bounds:
        return wanted
    last = max(last for _, last in bounds)
    return Range(wanted.since or min(first for first, _ in bounds), last if wanted.as_stated else wanted.until or last)


def _shape_of(report: Report, sides: Sides, wanted: Range) -> _Shape:
    return _Shape(
        intervals=tuple(report.intervals(wanted)),
        by_project=bool(sides.project) and report.states_projects,
        by_key=bool(sides.api_key) and report.states_keys,
        with_counts=any(not measure.startswith(COST) for measure in report.measures),
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


def _counted(report: Report, subject: str, rows: Iterable[Row]) -> dict[Place, Counted]:
    models = Models(report.models)
    found: dict[Place, Counted] = {}
    for row in rows:
        model = models.of(row.request_model, row.response_model)
        place = Place(report.source, *row.interval, row.provider, model, row.project, row.api_key, subject)
        found.setdefault(place, Counted()).add(row.counted)
    return found


def _judge(compared: Compared, cells: Iterable[Cell], measures: Sequence[str], sides: Sides, tolerance: Tolerance) -> None:
    without_price: Counter[str] = Counter()
    for cell in cells:
        stated = set(cell.billed.figures) or set(measures)
        unpriced = {measure for measure in stated if measure.startswith(COST) and cell.counted.calls and measure not in cell.counted.figures}
        without_price.update(unpriced)
        figures = [
            Figure(measure, _kept(cell.billed.figures.get(measure, _NOTHING)), cell.counted.figures.get(measure, _NOTHING))
            for measure in sorted(stated - unpriced, key=_place_of)
        ]
        differing = [figure for figure in figures if not tolerance.allows(figure)]
        if differing:
            near = [figure for figure in figures if tolerance.allows(figure)]
            compared.findings.append(Finding(cell.place, differing, near=near, held=_held(cell, sides)))
        elif unpriced:
            compared.left_out.add(cell.place.id)
        compared.blank += not figures
    for measure, cells_without in sorted(without_price.items()):
        what = f"{number_of(cells_without, 'cell')} of the ledger"
        if currency := measure.removeprefix(COST):
            prices = "update" if currency == "USD" else f"load: a list in {currency}"
            compared.remarks.append(f"{currency}: {what} without a price in this currency cannot be compared (tokentrail prices {prices})")
        else:
            compared.remarks.append(f"the bill has a cost without a currency: {what} cannot be compared")


def _kept(value: Decimal) -> Decimal:
    """Returns a figure with the digits that ledger and findings hold: what cannot be kept would be another figure in each round."""
    return value if value == value.to_integral_value() else value.quantize(Decimal(1).scaleb(-MOST_DIGITS), context=EXACT)


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
