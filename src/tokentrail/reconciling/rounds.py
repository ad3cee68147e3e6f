"""A round: compare, look for explanations, remember."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from tokentrail.bills.line import BillLine
from tokentrail.bills.reader import Reader
from tokentrail.clickhouse.client import Client
from tokentrail.reconciling.cells import REQUESTS, Range, Report, reports_of
from tokentrail.reconciling.compare import compare
from tokentrail.reconciling.correction import arrived_entries
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.explain import explain
from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.inside import Check, inside
from tokentrail.reconciling.money import charges_of
from tokentrail.reconciling.states import VANISHED, Known, advance
from tokentrail.reconciling.store import known_findings, save
from tokentrail.reconciling.tolerance import Tolerance
from tokentrail.wording import counted

__all__ = ["Outcome", "as_dict", "reconcile_bill", "reconcile_inside", "report_without_lines"]


@dataclass(slots=True)
class Outcome:
    """What came of a round. `known` are the findings that were looked at, with their states after it."""

    known: list[Known] = field(default_factory=list)
    written: int = 0
    checks: list[Check] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    cells: int = 0

    @property
    def open(self) -> list[Known]:
        """The findings that nobody has explained or corrected."""
        return [known for known in self.known if known.state == "open"]

    def as_dict(self) -> dict[str, Any]:
        """Returns the outcome as JSON values."""
        return {
            "ok": not self.open,
            "cells": self.cells,
            "checks": [{"name": check.name, "compared": check.compared, "sentence": check.sentence} for check in self.checks],
            "remarks": self.remarks,
            "findings": [as_dict(known) for known in self.known],
        }


def report_without_lines(reader: Reader) -> Report | None:
    """Returns what a report says that has no line: nothing was used of its provider. None for a report whose lines name the provider."""
    measures = [*(["input_tokens", "output_tokens"] if "tokens" in reader.states else []), REQUESTS]
    return Report(reader.name, reader.provider, usual=measures) if reader.provider else None


def reconcile_bill(
    client: Client,
    lines: Iterable[BillLine],
    sides: Sides,
    tolerance: Tolerance,
    wanted: Range,
    *,
    now: datetime | None = None,
    otherwise: Report | None = None,
) -> Outcome:
    """Compares a bill with the ledger and remembers what differs. Raises `ClickHouseError`, and what reading the lines raises.

    `otherwise` is compared where the bill has no line of a range with both ends: an empty bill beside a ledger that is not differs, too.
    """
    reports, outside = reports_of(lines, wanted)
    if not reports and otherwise is not None and wanted.since and wanted.until and not (wanted.as_stated or wanted.is_empty):
        reports = [otherwise]
    before = _Before.of(client)
    compared = compare(client, reports, sides, tolerance, wanted)
    charges = partial(charges_of, client, sides=sides)
    compared.findings = explain(compared, tolerance, charges, now or datetime.now(timezone.utc))
    outcome = Outcome(cells=len(compared.cells) - compared.blank, remarks=compared.remarks)
    if outside:
        outcome.remarks.append(f"{counted(outside, 'line')} of the bill outside the range, or without an interval, left out")
    if not reports:
        outcome.remarks.append("the bill has no line in the range: nothing was compared")
    elif not compared.cells:
        outcome.remarks.append("neither bill nor ledger has anything in the range")
    _remember(client, outcome, before, compared.findings, compared.why_gone, tolerance)
    return outcome


def reconcile_inside(client: Client, journal: Path, tolerance: Tolerance, *, now: datetime | None = None, since: datetime | None = None) -> Outcome:
    """Compares journal, landing table, ledger, sums by day and metrics, and remembers what differs. Raises `ClickHouseError`."""
    before = _Before.of(client)
    checks = inside(client, journal, tolerance, now or datetime.now(timezone.utc), since=since)
    sources = {check.name for check in checks if check.compared}
    outcome = Outcome(checks=checks, cells=len(sources))
    found = [finding for check in checks for finding in check.findings]
    _remember(client, outcome, before, found, lambda place: VANISHED if place.source in sources else "", tolerance)
    return outcome


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known before ledger and bill were looked at: what a person decides meanwhile is decided upon other figures than those of the round.

    Of a correction that arrives meanwhile the round's figures know nothing: to open the finding by them would have it corrected twice.
    """

    known: Mapping[str, Known]
    arrived: frozenset[str]

    @classmethod
    def of(cls, client: Client) -> _Before:
        """Reads the findings, and which corrections are in the ledger."""
        known = known_findings(client)
        return cls(known, arrived_entries(client, known.values()))


def _remember(
    client: Client, outcome: Outcome, before: _Before, found: Iterable[Finding], why_gone: Callable[[Place], str], tolerance: Tolerance
) -> None:
    """Writes the states that have changed."""
    after = advance(before.known, found, why_gone, tolerance, lambda known: known.id in before.arrived)
    outcome.written = len(save(client, before.known, after.values()))
    outcome.known = sorted(
        (known for known in after.values() if known.state != "gone" or before.known.get(known.id) is not known),
        key=lambda known: (known.state != "open", known.finding.place),
    )
    outcome.remarks += [
        f"the entry that corrects finding {known.id} is not in the ledger yet: tokentrail reconcile correct sends it again, and it counts once"
        for known in outcome.known
        if known.state == "corrected" and known.id not in before.arrived
    ]


def as_dict(known: Known) -> dict[str, Any]:
    """Returns a finding as JSON values: numbers of any size as texts, times in UTC."""
    place = known.finding.place
    bounds = {"from": f"{place.starts:%Y-%m-%dT%H:%M:%SZ}", "to": f"{place.ends:%Y-%m-%dT%H:%M:%SZ}"} if place.has_interval else {}
    names = {name: getattr(place, name) for name in ("provider", "model", "project", "api_key", "subject") if getattr(place, name)}
    return {
        "id": known.id,
        "state": known.state,
        "source": place.source,
        **bounds,
        **names,
        "figures": [_figure(figure) for figure in known.finding.figures],
        "explanations": list(known.finding.explanations),
        "who": known.who,
        "why": known.why,
        "at": f"{known.at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _figure(figure: Figure) -> dict[str, str]:
    return {
        "measure": figure.measure,
        "stated": f"{figure.stated:f}",
        "ledger": f"{figure.counted:f}",
        "difference": f"{figure.difference:f}",
    }
