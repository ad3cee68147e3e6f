"""The runtime: settings, journal, telemetry, estimator, deferred work, open streams, diagnostics and secret of a process, one of each.

`current.runtime` (see `tokentrail.process.current`) is the runtime of this process, created at first use. A class that needs a part of the runtime
takes the part as an argument; only the entry points (public functions, and the wrappers around SDKs) read `current`. A test creates a runtime of its
own and replaces the process's: `with Runtime(settings).in_place(): …`.

| event | the function that holds all steps, in order |
|---|---|
| settings change | `Current.configure`, then `Runtime.renew` |
| the process ends | `Runtime.close` |
| the process forks | `tokentrail.process.forks._in_child`, which calls `Runtime.forget_parent` |
"""

from __future__ import annotations

import atexit
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_bytes
from typing import TYPE_CHECKING

from tokentrail.journal.process import Journal
from tokentrail.process import threads
from tokentrail.process.current import current
from tokentrail.process.deferred import Deferred
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.process.forks import no_fork, resume
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.delivery import Delivery, Texts, Witness
from tokentrail.recording.jobs import Jobs
from tokentrail.recording.log_delivery import LogDelivery
from tokentrail.recording.open_streams import OpenStreams
from tokentrail.settings import OTEL
from tokentrail.telemetry.instruments import Telemetry
from tokentrail.telemetry.measurements import Measurements
from tokentrail.telemetry.observers import observe, observe_collections
from tokentrail.telemetry.resource import resource_attributes
from tokentrail.telemetry.sums import Sums

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from tokentrail.counting.estimator import Estimator
    from tokentrail.settings import Settings
    from tokentrail.usage import Usage

__all__ = ["Runtime", "close_at_exit", "current", "forget_parent", "internal_error"]


class Runtime:
    """The parts of one process, and the steps that concern all parts."""

    def __init__(self, settings: Settings, *, delivery: Delivery | None = None) -> None:
        self._mutex = Mutex()
        self.settings = settings
        self.diagnostics = Diagnostics()
        self.deferred = Deferred(self.diagnostics.internal_error)
        self.streams = OpenStreams()
        self.sums = Sums()
        self.measurements = Measurements(self.diagnostics.internal_error)
        self.jobs = Jobs()
        self.journal = Journal(settings, self._resource, self.estimate, self.diagnostics, on_begin=current.close_at_exit)
        self.logs = LogDelivery(self.estimate, self.diagnostics, on_begin=current.close_at_exit)
        self.delivery: Delivery = delivery or self.usual_delivery()
        self.telemetry: Telemetry | None = None
        self.secret = b""
        self.witness: Witness | None = None
        self.armed = False
        """Whether the first use of a decorator has patched the SDKs."""
        self._estimator: Estimator | None = None
        self._observed = False
        self._meter: Meter | None = None
        _all.add(self)

    def renew(self, settings: Settings) -> None:
        """Applies new settings; records made under former settings are kept until they are acknowledged."""
        self.settings = settings
        self.journal.renew(settings)
        if self.delivery in (self.logs, self.journal):  # a test's delivery stays
            former, self.delivery = self.delivery, self.usual_delivery()
            if former is not self.delivery and former is self.logs:
                former.close(time.monotonic())
        self.telemetry = None
        self.secret = b""

    def forget_parent(self) -> None:
        """Resets all parts in a forked child: the child gets its own identity, numbers, sums and secret; what waits stays the parent's."""
        self.journal.forget_parent()
        self.logs.forget_parent()
        if self.witness is not None:
            self.witness.forget_parent()
        self.deferred.forget()
        self.streams.forget()
        if self._estimator is not None:
            self._estimator.reset_after_fork()
        self.sums.forget()
        self.measurements.forget()
        self.diagnostics.forget()
        self.secret = b""

    def close(self, *, for_good: bool = False) -> None:
        """Ends open streams and deferred work, records the waiting measurements, then delivers as many usages as possible within `exit_timeout`.

        A later usage starts a new writer.
        `for_good`: the process ends; no vocabulary is loaded any more, because loading would outlive the interpreter.
        """
        deadline = time.monotonic() + self.settings.exit_timeout
        bridged = [self.witness.drain] if self.witness is not None else []
        for step in (self.streams.end_all, lambda: self.deferred.drain(self.settings.exit_timeout), *bridged, self.measurements.record_all):
            try:
                step()
            except Exception as error:  # a failed step must not stop the next step
                self.diagnostics.internal_error("runtime.close", error)
        if for_good and self._estimator is not None:
            self._estimator.stop_loading()
        self.drain_estimates(max(0.0, deadline - time.monotonic()))
        for delivery in (self.delivery, *(each for each in (self.logs, self.journal) if each is not self.delivery)):
            delivery.close(deadline)

    def usual_delivery(self) -> Delivery:
        """Returns the delivery of the settings; tests put another one in its place."""
        return self.logs if self.settings.delivery == OTEL else self.journal

    def settle(self, timeout: float) -> bool:
        """Records all usages so far, at most `timeout` seconds: streams that were left, deferred work, estimates. True if all are recorded.

        A process that a signal ends would lose the streams that the garbage collector has not found.
        """
        deadline = time.monotonic() + timeout
        self.streams.end_abandoned()
        finished = self.deferred.drain(timeout)
        return self.drain_estimates(max(0.0, deadline - time.monotonic())) and finished

    def flush(self, timeout: float) -> bool:
        """Waits until all usages so far are recorded and acknowledged, at most `timeout` seconds. True if all are."""
        resume()
        deadline = time.monotonic() + timeout
        settled = self.settle(timeout)
        passed = self.delivery is not self.logs or self.logs.flush(max(0.0, deadline - time.monotonic()))
        acknowledged = self.journal.flush(max(0.0, deadline - time.monotonic()))
        return settled and passed and acknowledged

    def estimate(self, usage: Usage, texts: Texts, append: Callable[[Usage], None], settle: Callable[[], None]) -> None:
        """Counts the texts in the background, passes the completed usage to `append`, and calls `settle` at the end in any case."""
        if self._estimator is None:
            # not needed where providers state their counts; a child forked during the import would wait for ever for the half-loaded module
            with no_fork():
                from tokentrail.counting.estimator import Estimator  # noqa: PLC0415
            with self._mutex.lock:
                self._estimator = self._estimator or Estimator(on_error=self.diagnostics.internal_error, count=self.diagnostics.count)
        self._estimator.submit(usage, texts.input, texts.output, append, settle)

    def drain_estimates(self, timeout: float) -> bool:
        """Waits until all requested estimates are counted and appended, at most `timeout` seconds. True if all are."""
        return self._estimator is None or self._estimator.drain(timeout)

    def instruments(self) -> Telemetry:
        """Creates the instruments of spans and metrics for the current settings; kept as `telemetry` until the settings change."""
        settings = self.settings
        try:
            made = Telemetry(settings, self.sums, self.measurements, self._observe)
        except Exception as failure:
            self.diagnostics.internal_error("telemetry", failure)
            made = Telemetry(settings.with_(spans=False, metrics="none"), self.sums, self.measurements, self._observe)
        if self.settings is settings:
            self.telemetry = made
        return made

    def hash_secret(self) -> bytes:
        """Returns the key of the content hash: the shared secret, else a random one, so that a short prompt cannot be guessed from its hash."""
        with self._mutex.lock:
            settings = self.settings
            secret = self.secret or settings.content_hash_secret.encode("utf-8", "surrogateescape") or token_bytes(32)
            if self.settings is settings:
                self.secret = secret
            return secret

    def _observe(self, meter: Meter) -> None:
        """Registers the sums with the SDK, once: two callbacks would report the same sums twice. Each further meter collects the measurements."""
        if meter is not self._meter:
            self._meter = meter
            observe_collections(meter, current)
        if not self._observed:
            self._observed = True
            observe(meter, current)

    def _resource(self, settings: Settings) -> dict[str, str | int]:
        return resource_attributes(settings, self.diagnostics)

    @contextmanager
    def in_place(self) -> Iterator[Runtime]:
        """Replaces the process's runtime by this runtime, and closes this runtime afterwards: for tests."""
        before = current.runtime
        current.put(self)
        try:
            yield self
        finally:
            current.put(before)
            self.close()


_all: weakref.WeakSet[Runtime] = weakref.WeakSet()


def internal_error(where: str, error: BaseException) -> None:
    """Counts and logs an error that the application does not see; see `Diagnostics.internal_error`."""
    current.runtime.diagnostics.internal_error(where, error)


def forget_parent() -> None:
    """Resets every runtime in a forked child."""
    for runtime in tuple(_all):
        runtime.forget_parent()


def close_at_exit() -> None:
    """Closes the process's runtime for good, if the process has one."""
    runtime = current.existing_runtime()
    if runtime is not None:
        runtime.close(for_good=True)


# Registered twice: here, for a process that records nothing before its end (a stream that is still open then); and when the first writer starts, so
# that the journal is closed before an OpenTelemetry SDK that was set up earlier, which then exports the last spans and sums.
atexit.register(close_at_exit)
threads.at_end(close_at_exit)
