"""Whether the Collector answers at the address that records are shipped to."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail import settings
from tokentrail.doctor.finding import Finding
from tokentrail.journal.exporter import Answer, Exporter, endpoint_of, endpoint_problem

__all__ = ["check_collector"]


def check_collector(in_force: settings.Settings) -> Iterator[Finding]:
    """An export request without records, sent as the shipper sends its own."""
    problem = endpoint_problem(in_force)
    if problem:
        yield Finding("Collector", "wrong", problem)
        return
    exporter = Exporter(in_force)
    outcome = exporter.send(b"")  # an export request without records
    exporter.close()
    if outcome.answer is Answer.ACCEPTED:
        yield Finding("Collector", "ok", f"{endpoint_of(in_force)} takes OTLP over HTTP")
    else:
        yield Finding("Collector", "wrong", f"{outcome.reason}; events wait in the journal until it answers (a laptop: tokentrail serve)")
