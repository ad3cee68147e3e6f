"""The observable instruments, which the SDK reads at each export: token sums, and metrics of tokentrail itself, which cost the call path nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from tokentrail import semconv
from tokentrail.telemetry.sums import COUNTERS

if TYPE_CHECKING:
    from tokentrail.recording.runtime import Runtime
    from tokentrail.settings import Settings

__all__ = ["observe", "observe_collections"]


class Holder(Protocol):
    """The holder of the current runtime, which may be replaced between two exports."""

    @property
    def runtime(self) -> Runtime:
        """The current runtime."""


def observe(meter: Meter, holder: Holder) -> None:
    """Creates the observable instruments; called once in a process."""
    meter.create_observable_counter(
        semconv.METRIC_JOURNAL_EVENTS, [_reader(holder, _events)], "{event}", "Usage events by what the journal did with them"
    )
    meter.create_observable_gauge(
        semconv.METRIC_JOURNAL_BYTES, [_reader(holder, _size)], "By", "Size of the journal's folder, with what waits to be shipped"
    )
    meter.create_observable_counter(
        semconv.METRIC_INTERNAL_ERRORS, [_reader(holder, _errors)], "{error}", "Errors that were kept from the application, by place"
    )
    for place, (name, description) in enumerate(COUNTERS):
        meter.create_observable_counter(name, [_reader(holder, _sums(place, embeddings=False))], "{token}", description)
    embeddings = _sums(0, embeddings=True)
    meter.create_observable_counter(semconv.METRIC_EMBEDDINGS_INPUT_TOKENS, [_reader(holder, embeddings)], "{token}", "Input tokens of embeddings")


def observe_collections(meter: Meter, holder: Holder) -> None:
    """Creates the instrument whose callback records the waiting measurements at each collection, before the histograms are read.

    The instrument itself has no value, so no exporter sees the instrument. A meter that has the instrument already ignores another one.
    """

    def record_measurements(_options: CallbackOptions) -> Iterable[Observation]:
        holder.runtime.measurements.record_all()  # under any settings: the measurements are those of earlier calls
        return []

    meter.create_observable_gauge(semconv.METRIC_COLLECTIONS, [record_measurements], "1", "Without a value: records the measurements that wait")


def _reader(holder: Holder, read: Callable[[Runtime], Iterable[Observation]]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def callback(_options: CallbackOptions) -> Iterable[Observation]:
        runtime = holder.runtime
        return [] if _is_off(runtime.settings) else read(runtime)

    return callback


def _is_off(settings: Settings) -> bool:
    return settings.metrics == "none" or settings.disabled or settings.otel_sdk_disabled


def _events(runtime: Runtime) -> Iterable[Observation]:
    numbers, refused = runtime.journal.counts()
    return [Observation(numbers - refused, {semconv.OUTCOME: "written"}), Observation(refused, {semconv.OUTCOME: "refused"})]


def _size(runtime: Runtime) -> Iterable[Observation]:
    return [Observation(runtime.journal.size())]


def _errors(runtime: Runtime) -> Iterable[Observation]:
    return [Observation(count, {semconv.PLACE: place}) for place, count in tuple(runtime.diagnostics.internal_errors.items())]


def _sums(place: int, *, embeddings: bool) -> Callable[[Runtime], Iterable[Observation]]:
    def read(runtime: Runtime) -> Iterable[Observation]:
        if runtime.settings.metrics == "legacy":  # the metric names were changed by a later `configure()`
            return []
        return [Observation(value, attributes) for value, attributes in runtime.sums.series(place, embeddings=embeddings)]

    return read
