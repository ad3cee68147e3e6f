"""What a process has one of: settings, journal, telemetry, estimator, deferred work, open streams, diagnostics, secret.

`current.runtime` (see `tokentrail.process.current`) is the runtime of this process, made at its first use. A class that needs a part of it takes that
part as an argument; only the entrances (the public functions, and the wrappers around SDKs) read `current`. A test makes a runtime of its own and
puts it in the place of the process's: `with Runtime(settings).in_place(): …`.

| what happens | the one function that says all of it, in order |
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
from tokentrail.recording.delivery import Delivery, Texts
from tokentrail.recording.open_streams import OpenStreams
from tokentrail.telemetry.instruments import Telemetry
from tokentrail.telemetry.observers import observe
from tokentrail.telemetry.resource import resource_attributes
from tokentrail.telemetry.sums import Sums

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from tokentrail.counting.estimator import Estimator
    from tokentrail.settings import Settings
    from tokentrail.usage import Usage

__all__ = ["Runtime", "close_at_exit", "current", "forget_parent", "internal_error"]


class Runtime:
    """The parts of one process, and what happens to all of them together."""

    def __init__(self, settings: Settings, *, delivery: Delivery | None = None) -> None:
        self._mutex = Mutex()
        self.settings = settings
        self.diagnostics = Diagnostics()
        self.deferred = Deferred(self.diagnostics.internal_error)
        self.streams = OpenStreams()
        self.sums = Sums()
        self.journal = Journal(settings, self._resource, self.estimate, self.diagnostics, on_begin=current.close_at_exit)
        self.delivery: Delivery = delivery or self.journal
        self.telemetry: Telemetry | None = None
        self.secret = b""
        self.armed = False
        """Whether the first use of a decorator has patched the SDKs."""
        self._estimator: Estimator | None = None
        self._observed = False
        _all.add(self)

    def renew(self, settings: Settings) -> None:
        """Go on under new settings: what was recorded under the former ones is kept until it is acknowledged."""
        self.settings = settings
        self.journal.renew(settings)
        self.telemetry = None
        self.secret = b""

    def forget_parent(self) -> None:
        """Begin anew in a forked child: identity, numbers, sums and a random secret are its own; what waits is the parent's to deliver."""
        self.journal.forget_parent()
        self.deferred.forget()
        self.streams.forget()
        if self._estimator is not None:
            self._estimator.reset_after_fork()
        self.sums.forget()
        self.diagnostics.forget()
        self.secret = b""

    def close(self, *, for_good: bool = False) -> None:
        """End what is under way, and deliver what can be delivered within `exit_timeout`. A later usage begins a new writer.

        `for_good`: the process ends, so that no vocabulary is loaded any more, for loading would outlive the interpreter.
        """
        deadline = time.monotonic() + self.settings.exit_timeout
        for step in (self.streams.end_all, lambda: self.deferred.drain(self.settings.exit_timeout)):
            try:
                step()
            except Exception as error:  # the next step is to be done all the same
                self.diagnostics.internal_error("runtime.close", error)
        if for_good and self._estimator is not None:
            self._estimator.stop_loading()
        self.drain_estimates(max(0.0, deadline - time.monotonic()))
        self.delivery.close(deadline)
        if self.delivery is not self.journal:
            self.journal.close(deadline)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was recorded so far is counted and acknowledged, or the time (seconds) is up. True if it is."""
        resume()
        deadline = time.monotonic() + timeout
        finished = self.deferred.drain(timeout)
        counted = self.drain_estimates(max(0.0, deadline - time.monotonic()))
        acknowledged = self.journal.flush(max(0.0, deadline - time.monotonic()))
        return finished and counted and acknowledged

    def estimate(self, usage: Usage, texts: Texts, append: Callable[[Usage], None], settle: Callable[[], None]) -> None:
        """Count the texts in the background, give the completed usage to `append`, and call `settle` when nothing more comes."""
        if self._estimator is None:
            # not needed where providers state their counts; a child that is forked in the middle would wait for ever for the half loaded module
            with no_fork():
                from tokentrail.counting.estimator import Estimator  # noqa: PLC0415
            with self._mutex.lock:
                self._estimator = self._estimator or Estimator()
        self._estimator.submit(usage, texts.input, texts.output, append, settle)

    def drain_estimates(self, timeout: float) -> bool:
        """Wait until the estimates that were asked for are counted and appended, or the time (seconds) is up. True if they are."""
        return self._estimator is None or self._estimator.drain(timeout)

    def instruments(self) -> Telemetry:
        """Make the instruments of spans and metrics under the settings in force; kept as `telemetry` until they change."""
        settings = self.settings
        try:
            made = Telemetry(settings, self.sums, self._observe)
        except Exception as failure:
            self.diagnostics.internal_error("telemetry", failure)
            made = Telemetry(settings.with_(spans=False, metrics="none"), self.sums, self._observe)
        if self.settings is settings:
            self.telemetry = made
        return made

    def hash_secret(self) -> bytes:
        """The key of the content hash: the shared secret, else a random one, so that nobody can guess a short prompt from its hash."""
        with self._mutex.lock:
            settings = self.settings
            secret = self.secret or settings.content_hash_secret.encode("utf-8", "surrogateescape") or token_bytes(32)
            if self.settings is settings:
                self.secret = secret
            return secret

    def _observe(self, meter: Meter) -> None:
        """Let the SDK read the sums; once, or two callbacks would report the same."""
        if not self._observed:
            self._observed = True
            observe(meter, current)

    def _resource(self, settings: Settings) -> dict[str, str | int]:
        return resource_attributes(settings, self.diagnostics)

    @contextmanager
    def in_place(self) -> Iterator[Runtime]:
        """Put this runtime in the place of the process's, and close it afterwards: for tests."""
        before = current.runtime
        current.put(self)
        try:
            yield self
        finally:
            current.put(before)
            self.close()


_all: weakref.WeakSet[Runtime] = weakref.WeakSet()


def internal_error(where: str, error: BaseException) -> None:
    """Count an error that the application does not see; see `Diagnostics.internal_error`."""
    current.runtime.diagnostics.internal_error(where, error)


def forget_parent() -> None:
    """Begin anew in a forked child."""
    for runtime in tuple(_all):
        runtime.forget_parent()


def close_at_exit() -> None:
    """Close the process's runtime for good, if there is one."""
    runtime = current.made()
    if runtime is not None:
        runtime.close(for_good=True)


# Twice: now, for a process that records nothing before its end (a stream that is still open then); and when the first writer begins, so that the
# journal is closed before an OpenTelemetry SDK that was set up earlier, which takes the last spans and sums.
atexit.register(close_at_exit)
threads.at_end(close_at_exit)
