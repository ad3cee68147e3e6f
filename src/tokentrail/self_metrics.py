"""Metrics of tokentrail itself: what its journal took and refused, how much waits on the disk, and what it swallowed.

All are read when the SDK exports; the call path does nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from tokentrail import ledger, semconv, settings

__all__ = ["after_fork", "observe_journal"]


def observe_journal(meter: Meter) -> None:
    """Make the instruments; once in a process."""
    meter.create_observable_counter(semconv.METRIC_JOURNAL_EVENTS, [_events], "{event}", "Usage events by what the journal did with them")
    meter.create_observable_gauge(semconv.METRIC_JOURNAL_BYTES, [_size], "By", "Size of the journal's folder, with what waits to be shipped")
    meter.create_observable_counter(semconv.METRIC_INTERNAL_ERRORS, [_errors], "{error}", "Errors that were kept from the application, by place")


def _off() -> bool:
    in_force = settings.current()
    return in_force.metrics == "none" or in_force.disabled or in_force.otel_sdk_disabled


def _events(_options: CallbackOptions) -> Iterable[Observation]:
    if _off():
        return []
    numbers, refused = ledger.counts()
    return [Observation(numbers - refused, {semconv.OUTCOME: "written"}), Observation(refused, {semconv.OUTCOME: "refused"})]


def _size(_options: CallbackOptions) -> Iterable[Observation]:
    return [] if _off() else [Observation(ledger.journal_size())]


def _errors(_options: CallbackOptions) -> Iterable[Observation]:
    return [] if _off() else [Observation(count, {semconv.PLACE: place}) for place, count in tuple(ledger.internal_errors.items())]


def after_fork() -> None:
    """The parent tells of its own."""
    ledger.internal_errors.clear()
