"""Whether the Collector answers at the address that records are shipped to."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail import settings
from tokentrail.addresses import bare
from tokentrail.doctor.finding import Finding
from tokentrail.journal.endpoint import GRPC, endpoint_of, endpoint_problem, protocol_of, why_not_grpc
from tokentrail.journal.exporter import Answer, exporter_for

__all__ = ["check_collector"]


def check_collector(in_force: settings.Settings) -> Iterator[Finding]:
    """An export request without records, sent as the shipper sends its own."""
    problem = endpoint_problem(in_force)
    if problem:
        yield Finding("Collector", "wrong", problem)
        return
    if reason := why_not_grpc(in_force):
        yield Finding("Collector", "note", f"{reason}; the journal is shipped over OTLP/HTTP to {bare(endpoint_of(in_force))}")
    exporter = exporter_for(in_force)
    outcome = exporter.send(b"")  # an export request without records
    exporter.close()
    if outcome.answer is Answer.ACCEPTED:
        yield Finding("Collector", "ok", f"{bare(endpoint_of(in_force))} takes OTLP over {'gRPC' if protocol_of(in_force) == GRPC else 'HTTP'}")
    else:
        yield Finding("Collector", "wrong", f"{outcome.reason}; events wait in the journal until it answers (a laptop: tokentrail serve)")
