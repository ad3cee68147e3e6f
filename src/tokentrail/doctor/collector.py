"""Checks that the Collector answers at the address that records are shipped to."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail.addresses import bare
from tokentrail.doctor.finding import Finding
from tokentrail.journal.endpoint import GRPC, endpoint_of, endpoint_problem, protocol_of, why_not_grpc
from tokentrail.journal.exporter import Result, exporter_for
from tokentrail.settings import Settings

__all__ = ["check_collector"]


def check_collector(settings: Settings) -> Iterator[Finding]:
    """Sends an export request without records, like the shipper's requests, and yields the findings."""
    problem = endpoint_problem(settings)
    if problem:
        yield Finding("Collector", "wrong", problem)
        return
    if reason := why_not_grpc(settings):
        yield Finding("Collector", "note", f"{reason}; the journal is shipped over OTLP/HTTP to {bare(endpoint_of(settings))}")
    exporter = exporter_for(settings)
    outcome = exporter.send(b"")  # an export request without records
    exporter.close()
    if outcome.result is Result.ACCEPTED:
        yield Finding("Collector", "ok", f"{bare(endpoint_of(settings))} takes OTLP over {'gRPC' if protocol_of(settings) == GRPC else 'HTTP'}")
    else:
        yield Finding("Collector", "wrong", f"{outcome.reason}; events wait in the journal until it answers (a laptop: tokentrail serve)")
