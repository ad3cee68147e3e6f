"""A round: compare, look for explanations, remember."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from tokentrail.bills.line import BillLine
from tokentrail.clickhouse.client import Client
from tokentrail.reconciling.cells import Range, reports_of
from tokentrail.reconciling.compare import Compared, compare
from tokentrail.reconciling.correction import entry_arrived
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.explain import explain
from tokentrail.reconciling.finding import Figure
from tokentrail.reconciling.inside import Check, inside
from tokentrail.reconciling.money import charges_of
from tokentrail.reconciling.states import Known, advance
from tokentrail.reconciling.store import known_findings, save
from tokentrail.reconciling.tolerance import Tolerance
from tokentrail.wording import counted

__all__ = ["Outcome", "as_dict", "reconcile_bill", "reconcile_inside"]


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


def reconcile_bill(
    client: Client, lines: Iterable[BillLine], sides: Sides, tolerance: Tolerance, wanted: Range, *, now: datetime | None = None
) -> Outcome:
    """Compares a bill with the ledger and remembers what differs. Raises `ClickHouseError`, and what reading the lines raises."""
    reports, outside = reports_of(lines, wanted)
    compared = compare(client, reports, sides, tolerance, wanted)
    charges = partial(charges_of, client, sides=sides)
    compared.findings = explain(compared, tolerance, charges, now or datetime.now(timezone.utc))
    outcome = Outcome(cells=len(compared.cells), remarks=compared.remarks)
    if outside:
        outcome.remarks.append(f"{counted(outside, 'line')} of the bill outside the range, or without an interval, left out")
    if not reports:
        outcome.remarks.append("the bill has no line in the range: nothing was compared")
    _remember(client, outcome, compared, tolerance)
    return outcome


def reconcile_inside(client: Client, journal: Path, tolerance: Tolerance, *, now: datetime | None = None, since: datetime | None = None) -> Outcome:
    """Compares journal, landing table, ledger, sums by day and metrics, and remembers what differs. Raises `ClickHouseError`."""
    checks = inside(client, journal, tolerance, now or datetime.now(timezone.utc), since=since)
    compared = Compared(findings=[finding for check in checks for finding in check.findings])
    sources = {check.name for check in checks if check.compared}
    outcome = Outcome(checks=checks, cells=len(sources))
    _remember(client, outcome, compared, tolerance, sources)
    return outcome


def _remember(client: Client, outcome: Outcome, compared: Compared, tolerance: Tolerance, sources: Iterable[str] = ()) -> None:
    """Writes the states that have changed. `sources`: the checks inside whose findings are gone if they were not found again."""
    before = known_findings(client)
    looked_at = frozenset(sources)
    after = advance(
        before,
        compared.findings,
        lambda place: place.source in looked_at or compared.covers(place),
        tolerance,
        partial(entry_arrived, client),
    )
    outcome.written = len(save(client, before, after.values()))
    outcome.known = sorted(
        (known for known in after.values() if known.state != "gone" or before.get(known.id) is not known),
        key=lambda known: (known.state != "open", known.finding.place),
    )


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
