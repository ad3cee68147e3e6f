"""Rounds of `tokentrail reconcile`, one or for ever, and what is shown of findings."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final

import click

from tokentrail.bills.errors import BillError
from tokentrail.bills.registry import reader_named
from tokentrail.cli.address import opened
from tokentrail.cli.comparison import Asked
from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import as_json_text, note, say
from tokentrail.cli.tables import shown
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import Client
from tokentrail.process.signals import ended_by_signals
from tokentrail.reconciling.cells import whole_days
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.rounds import Outcome, reconcile_bill, reconcile_inside, report_without_lines
from tokentrail.reconciling.states import Known
from tokentrail.wording import counted

__all__ = ["once", "rounds", "show_finding"]

_SIGNS: Final = {"open": "✗", "explained": "•", "corrected": "✓", "gone": "✓"}


def _round(client: Client, asked: Asked) -> Outcome:
    """Does one round. Raises `BillError` and `ClickHouseError`."""
    now = datetime.now(timezone.utc)
    wanted = asked.range(now)
    if asked.source is None:
        return reconcile_inside(client, asked.journal, asked.tolerance, now=now, since=wanted.since)
    if wanted.is_empty:
        return Outcome(remarks=["no day of the range is over yet: nothing was compared"])
    sides = Sides(asked.project_in, asked.key_in, asked.names, asked.where)
    reports = asked.report(wanted)
    complete = [report.complete_until for report in reports if report.complete_until is not None]
    if complete and wanted.until is not None and min(complete) < wanted.until:
        wanted = replace(wanted, until=whole_days(None, min(complete)).until)
    lines = (line for report in reports for line in report)
    otherwise = report_without_lines(reader_named(asked.source))
    outcome = reconcile_bill(client, lines, sides, asked.tolerance, wanted, now=now, otherwise=otherwise)
    outcome.remarks += [f"{counted(rows, 'row')} of the report: {sentence}" for report in reports for sentence, rows in report.notes.items()]
    if complete:
        outcome.remarks.append(f"the provider says that its figures are whole until {min(complete):%Y-%m-%d %H:%M} UTC: later days were left out")
    return outcome


def once(asked: Asked, *, as_json: bool) -> None:
    """Does a round and shows what came of it. Exits with 1 if a finding is open. Raises `Misuse` for a bill that cannot be read."""
    with opened(asked.dsn) as client:
        try:
            with working("comparing the bill with the ledger" if asked.source else "comparing journal, landing table, ledger, sums and metrics"):
                outcome = _round(client, asked)
        except BillError as error:
            raise Misuse(f"{str(error).rstrip('.')}.") from None
    if as_json:
        say(as_json_text(outcome.as_dict(), indent=2, ascii_only=False))
    else:
        _show(outcome)
    sys.exit(1 if outcome.open else 0)


def rounds(asked: Asked, seconds: float, *, as_json: bool) -> None:
    """Does a round after the other until the process is asked to end: one line a round, and a round that fails does not end it.

    A round that waits for a provider, which may take minutes, is ended in the middle: what a round writes, it writes at once at its end.
    """
    try:
        with ended_by_signals():
            while True:
                say(_line(asked, as_json=as_json))
                sys.stdout.flush()
                time.sleep(seconds)
    except (KeyboardInterrupt, SystemExit):  # of a signal: the container's end is no failure
        return


def _line(asked: Asked, *, as_json: bool) -> str:
    """Does a round and returns its line."""
    at = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    try:
        with opened(asked.dsn) as client:
            outcome = _round(client, asked)
    except Exception as error:  # whatever fails in a round, a broken file as well as ClickHouse, the next one may do
        sentence = error.format_message() if isinstance(error, click.ClickException) else str(error) or type(error).__name__
        return as_json_text({"at": at, "failed": sentence}) if as_json else f"{at} ✗ failed, and goes on: {shown(sentence)}"
    if as_json:
        return as_json_text({"at": at, **outcome.as_dict()}, ascii_only=False)
    return f"{at} {_summary(outcome)}"


def _show(outcome: Outcome) -> None:
    for check in outcome.checks:
        sign = "✗" if check.findings else "✓" if check.compared else "·"
        say(f"{sign} {check.name}: {shown(check.sentence)}")
    for known in outcome.known:
        show_finding(known)
    for remark in outcome.remarks:
        note(remark)
    say(_summary(outcome))


def show_finding(known: Known) -> None:
    """Prints a finding: what differs, by how much, and why."""
    place = known.finding.place
    say(f"\n{_SIGNS[known.state]} {known.id}  {known.state}  {shown(place.title)}  ({place.source})")
    for figure in known.finding.figures:
        say(f"    {figure.sentence}")
    for sentence in known.finding.explanations:
        say(f"    → {shown(sentence)}")
    if known.why:
        say(f"    {known.state} since {known.at:%Y-%m-%d %H:%M} by {shown(known.who)}: {shown(known.why)}")


def _summary(outcome: Outcome) -> str:
    states = {state: sum(known.state == state for known in outcome.known) for state in _SIGNS}
    compared = counted(outcome.cells, "comparison" if outcome.checks else "cell")
    if not outcome.cells and not outcome.known:
        return "· nothing was compared"
    if not any(states.values()):
        return f"✓ nothing differs, {compared}"
    told = ", ".join(f"{number} {state}" for state, number in states.items() if number)
    return f"{'✗' if states['open'] else '✓'} {counted(len(outcome.known), 'finding')} ({told}), {compared}"
