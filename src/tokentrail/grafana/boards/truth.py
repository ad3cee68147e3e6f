"""How sure the numbers are: what is missing, waits, contradicts itself or is estimated."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.expressions import Variable
from tokentrail.grafana.panel import Board, Kind, Panel, Row

__all__ = ["BOARD"]

_BY_PROVIDER: Final = {"by": "provider", "step": Variable("step")}
_BY_SERVICE: Final = {"by": "service_name", "step": Variable("step")}
_WRITERS: Final = (
    *("service_name", "environment", "writers", "open_writers", "records", "absent_numbers"),
    *("writers_with_gaps", "refusing_writers", "damaged_writers", "last_heard"),
)

BOARD: Final = Board(
    uid="tokentrail-truth",
    title="tokentrail: Truth",
    description="Writers, gaps, reconciliation, bills, quarantine, conflicts, copies, estimates, age, journals: `tokentrail verify` is the proof",
    rows=(
        Row(
            "What is missing",
            (
                Panel("Processes and their numbers", "processes", Kind.TABLE, _WRITERS, {}, 24, 8, empty="No process has written in this time range"),
                Panel(
                    "The proof: every record that was announced, and what became of it",
                    "conservation",
                    Kind.TABLE,
                    width=24,
                    height=6,
                    empty="No process has written yet",
                ),
                Panel(
                    "Reconciliation: what arrived and is not in the ledger any more, or differs",
                    "reconciliation",
                    Kind.TABLE,
                    width=24,
                    height=6,
                    empty="All that arrived is in the ledger, once and with one number",
                ),
                Panel(
                    "Bills, journals and metrics beside the ledger: what differs, and what was decided of it",
                    "findings",
                    Kind.TABLE,
                    ("state", "interval", "source", "place", "differences", "explanation", "why", "id"),
                    width=24,
                    height=8,
                    empty="No finding is open, explained or corrected: nothing differs, or tokentrail reconcile has never run",
                ),
                Panel(
                    "Not understood, in quarantine",
                    "not_understood",
                    Kind.TABLE,
                    ("service_name", "reason", "records", "latest"),
                    height=6,
                    empty="Nothing waits in quarantine",
                ),
                Panel("Copies, which count once", "copies", Kind.TABLE, height=6, empty="No records have arrived in this time range"),
                Panel(
                    "Claimed keys with different numbers, at any time",
                    "contradictions",
                    Kind.TABLE,
                    width=24,
                    height=6,
                    empty="No two records state different numbers for one key",
                ),
            ),
        ),
        Row(
            "How sure",
            (
                Panel("Estimated share of tokens", "certainty_over_time", Kind.LINES, ("time", "name", "estimated_share"), _BY_PROVIDER),
                Panel("Calls of which nothing is known", "certainty_over_time", Kind.STACK, ("time", "name", "unknown_calls"), _BY_PROVIDER),
                Panel("By model", "certainty", Kind.TABLE, width=24),
                Panel(
                    "Days that long ranges read from their sums",
                    "rollup",
                    Kind.TABLE,
                    width=24,
                    height=6,
                    empty="No day of this time range has sums: tokentrail rollup builds them, an hour after the last arrival",
                ),
            ),
        ),
        Row(
            "On the way",
            (
                Panel(
                    "From a call to ClickHouse: the age of journals and queues",
                    "arrival_over_time",
                    Kind.LINES,
                    ("time", "name", "arrival_p50_seconds", "arrival_p95_seconds"),
                    _BY_SERVICE,
                ),
                Panel(
                    "Journals on disk",
                    "journals",
                    Kind.LINES,
                    ("time", "name", "size_bytes"),
                    empty="No process has sent the metric tokentrail.journal.size through the Collector",
                ),
                Panel("Services, and since when each is silent", "services", Kind.TABLE, width=24),
            ),
        ),
    ),
)
