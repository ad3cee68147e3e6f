"""The ways of a usage compared with one another, without a bill: journal ↔ landing table ↔ ledger ↔ sums by day ↔ metrics.

Each check says what it has compared, or why it could not; what differs are findings, as those of bills are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.idempotency import shorten
from tokentrail.journal.status import journal_status
from tokentrail.ledger.query import answer
from tokentrail.ledger.verify import Verification, verify
from tokentrail.ledger.writers import look
from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.tolerance import Tolerance
from tokentrail.wording import counted

__all__ = ["INSIDE", "Check", "inside"]

INSIDE: Final = ("journal", "landing", "verify", "rollup", "metrics")
"""The sources of findings inside."""
_WINDOW_DAYS: Final = 7
PATIENCE: Final = 5.0
"""Seconds within which numbers that were acknowledged a moment ago are looked for again."""
_INPUT: Final = [semconv.METRIC_INPUT_TOKENS, semconv.METRIC_EMBEDDINGS_INPUT_TOKENS]
_OUTPUT: Final = [semconv.METRIC_OUTPUT_TOKENS]


@dataclass(slots=True)
class Check:
    """What came of comparing two ways. `compared` is false where one of them is not there."""

    name: str
    sentence: str = ""
    compared: bool = True
    findings: list[Finding] = field(default_factory=list)

    def find(self, subject: str, sentence: str, figures: Iterable[Figure] = ()) -> None:
        """Adds a finding."""
        self.findings.append(Finding(Place(self.name, subject=shorten(subject, 512)), tuple(figures), (sentence,)))


def inside(client: Client, journal: Path, tolerance: Tolerance, now: datetime, *, hours: int = 24, since: datetime | None = None) -> list[Check]:
    """Compares all ways. `hours`: landing records that have arrived since then; `since`: the first moment of metrics. Raises `ClickHouseError`."""
    of_journal, writers = _journal(journal)  # before ClickHouse is asked: what was acknowledged by then has to be there
    verification = verify(client)
    _look_for_unheard(of_journal, client, writers, verification)
    return [
        of_journal,
        _landing(client, hours),
        _verify(verification),
        _rollup(client, verification),
        _metrics(client, tolerance, since or now - timedelta(days=_WINDOW_DAYS), now),
    ]


def _journal(root: Path) -> tuple[Check, list[dict[str, Any]]]:
    """Looks at this machine's journal. Returns its writers, too, which are to be compared with what ClickHouse has heard of them."""
    check = Check("journal")
    try:
        found = journal_status(root) if root.is_dir() else None
    except OSError as error:
        check.compared, check.sentence = False, f"{root} cannot be read: {error.strerror or error}"
        return check, []
    if found is None:
        check.compared, check.sentence = False, f"there is no journal on this machine ({root}): those of other machines are seen there"
        return check, []
    for writer in found["writers"]:
        _damage(check, writer)
    for kept in found["aside"]:
        check.find(
            f"aside {Path(kept['file']).name}", f"a record was refused for good and put aside: {kept['reason']}; tokentrail journal ship --aside"
        )
    waiting = sum(writer["waiting"] for writer in found["writers"])
    check.sentence = f"{counted(len(found['writers']), 'writer')} on this machine, {counted(waiting, 'record')} on the way"
    return check, found["writers"]


def _damage(check: Check, writer: Mapping[str, Any]) -> None:
    name = f"writer {writer['writer_id']}"
    if writer["missing"]:
        check.find(f"{name} missing", f"numbers {_ranges(writer['missing'])} of {writer['service_name']} are in no file of the journal")
    if writer["damaged_bytes"]:
        check.find(f"{name} damaged", f"{counted(writer['damaged_bytes'], 'byte')} of {writer['service_name']} are torn in the journal")
    if writer["unreported"]:
        check.find(f"{name} refused", f"the journal of {writer['service_name']} refused the numbers {_ranges(writer['unreported'])}")


def _look_for_unheard(check: Check, client: Client, writers: Iterable[Mapping[str, Any]], verification: Verification) -> None:
    """Looks for numbers that the Collector has acknowledged and that ClickHouse has not heard of: what lies below the highest one `verify` names."""
    heard = {writer.writer_id: writer.highest_heard for writer in verification.writers}
    behind = [writer for writer in writers if heard.get(writer["writer_id"], 0) < writer["acknowledged"]]
    deadline = time.monotonic() + PATIENCE
    while behind and time.monotonic() < deadline:
        time.sleep(0.2)
        heard = {writer.writer_id: writer.highest_heard for writer in look(client, all_writers=True).writers}
        behind = [writer for writer in behind if heard.get(writer["writer_id"], 0) < writer["acknowledged"]]
    for writer in behind:
        known = heard.get(writer["writer_id"], 0)
        numbers = _ranges([(known + 1, writer["acknowledged"])])
        check.find(
            f"writer {writer['writer_id']} unheard",
            f"numbers {numbers} of {writer['service_name']} were acknowledged, and ClickHouse has not heard of "
            f"{'them' if known else 'this writer'}: the Collector writes to another database, keeps them in a queue, or has lost them",
        )


def _ranges(pairs: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in pairs)


def _landing(client: Client, hours: int) -> Check:
    """Compares the records that have arrived with the ledger's identities."""
    check = Check("landing", f"no record of the last {counted(hours, 'hour')} is in neither ledger nor quarantine")
    given: dict[str, Parameter] = {
        "hours": hours,
        "writer_attribute": semconv.WRITER_ID,
        "seq_attribute": semconv.SEQ,
        "event_attribute": semconv.EVENT,
    }
    for row in answer(client, "reconcile_landing", given).dicts():
        check.find(
            f"writer {row['writer_id']} lost",
            f"{counted(row['records'], 'record')} of {row['service_name']} arrived, in neither ledger nor quarantine: numbers {row['examples']}",
        )
        check.sentence = f"records of the last {counted(hours, 'hour')} are missing in the ledger"
    return check


def _verify(verification: Verification) -> Check:
    """Makes findings of what `tokentrail verify` finds."""
    check = Check("verify")
    for problem in verification.problems:
        of_service = f" (service {problem.service_name})" if problem.service_name else ""
        check.find(problem.subject, f"{problem.sentence}{of_service}")
    writers = len(verification.writers) + sum(service.writers for service in verification.completed)
    check.sentence = (
        f"{counted(writers, 'writer')} heard, all they numbered is there" if not check.findings else f"{counted(writers, 'writer')} heard"
    )
    return check


def _rollup(client: Client, verification: Verification) -> Check:
    """Compares the sums by day with the ledger: `tokentrail verify` has done so."""
    days = len(answer(client, "days_with_sums").rows)
    check = Check("rollup", f"{counted(days, 'day')} summed, each as the ledger has it", compared=days > 0)
    if not days:
        check.sentence = "no day is summed (tokentrail rollup)"
    for day in verification.different_days:
        figures = (
            Figure("tokens", Decimal(day["tokens"]), Decimal(day["tokens_now"])),
            Figure("requests", Decimal(day["calls"]), Decimal(day["calls_now"])),
        )
        check.find(str(day["day"]), "the day's sums are not those of the ledger: tokentrail rollup --rebuild", figures)
    return check


def _metrics(client: Client, tolerance: Tolerance, since: datetime, until: datetime) -> Check:
    """Compares OpenTelemetry's counters with the ledger. Only more than the ledger is a finding: counters lose what a killed process has not sent."""
    check = Check("metrics")
    given = {"since": f"{since:%Y-%m-%d %H:%M:%S}", "until": f"{until:%Y-%m-%d %H:%M:%S}", "input_names": _INPUT, "output_names": _OUTPUT}
    rows = answer(client, "reconcile_metrics", given).dicts()
    if not rows:
        check.compared, check.sentence = False, f"no counters of tokens since {since:%Y-%m-%d %H:%M} in otel_metrics_sum"
        return check
    shares = []
    for row in rows:
        figures = [Figure(name, Decimal(row[name]), Decimal(row[f"ledger_{name}"])) for name in ("input_tokens", "output_tokens")]
        more = [figure for figure in figures if figure.difference > 0 and not tolerance.allows(figure)]
        if more:
            sentence = f"the counters of {row['service_name']} have more tokens than the ledger, from {row['first'][:19]} to {row['last'][:19]} UTC"
            check.find(f"service {row['service_name']}", sentence, more)
        known, there = (sum(getattr(figure, side) for figure in figures) for side in ("stated", "counted"))
        shares.append(f"{row['service_name']} {known / there * 100:.1f} %" if there else f"{row['service_name']} none")
    check.sentence = f"tokens of the counters beside the ledger's: {', '.join(shares)} (counters lose the last minute of a killed process)"
    return check
