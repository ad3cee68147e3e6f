"""The thread that ships this process's journal, and now and then what dead processes left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tokentrail.journal import folder as layout
from tokentrail.journal.exporter import Exporter, endpoint_problem
from tokentrail.journal.shipper import Shipper, remove
from tokentrail.journal.writer import Writer
from tokentrail.settings import Settings

__all__ = ["Background"]


class Background:
    """One per writer; made anew after a fork. `start()` is cheap to call again."""

    def __init__(self, writer: Writer, settings: Settings, complain: Callable[[str], None]) -> None:
        self._writer = writer
        self._settings = settings
        self._complain = complain
        self._wake = threading.Event()
        self._passed = threading.Condition()
        self._stopping = False
        self._impatient = False
        self._thread: threading.Thread | None = None
        self._lock: layout.Lock | None = None
        self._acknowledged = 0
        self._closed_and_gone = False
        self._adopt_at = 0.0

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            problem = endpoint_problem(self._settings)
            if problem:
                self._complain(f"{problem}; records stay in the journal {self._writer.root}")
            self._thread = threading.Thread(target=self._run, args=(problem is None,), name="tokentrail-shipper", daemon=True)
            self._thread.start()

    def _run(self, usable: bool) -> None:
        if not usable:
            return
        from opentelemetry import context  # noqa: PLC0415 - not before the thread runs

        # our own requests are nobody's spans
        for name in ("suppress_instrumentation", "suppress_http_instrumentation"):
            context.attach(context.set_value(name, True))
        exporter = Exporter(self._settings)
        shipper = Shipper(self._writer.root, exporter, wait=self._pause, complain=self._complain, own_id=self._writer.writer_id)
        while not self._closed_and_gone:
            try:
                self._pass(shipper)
            except Exception as error:
                self._complain(f"the shipper failed and goes on: {type(error).__name__}: {error}")
            if self._stopping:
                break
            self._pause(self._settings.ship_interval)
        exporter.close()
        self.let_go()

    def _pass(self, shipper: Shipper) -> None:
        self._ship_own(shipper)
        now = time.monotonic()
        if now >= self._adopt_at and not self._stopping:
            self._adopt_at = now + self._settings.adopt_interval
            shipper.adopt_dead(patient=False)

    def _ship_own(self, shipper: Shipper) -> None:
        if not self._writer.opened:
            return
        folder = self._writer.folder
        if self._lock is None:
            self._lock = layout.Lock.take(folder / layout.SHIPPING)
            if self._lock is None:  # a sidecar is at it
                return
        closed = self._writer.closed
        progress = shipper.ship_folder(folder, live=not closed, patient=not self._stopping)
        with self._passed:
            self._acknowledged = layout.load_cursor(folder).last_seq
            self._passed.notify_all()
        if closed and progress.done:
            remove(folder)
            self._closed_and_gone = True

    def _pause(self, seconds: float) -> bool:
        """Wait; true when it is time to stop. A flush cuts the wait short."""
        self._wake.wait(seconds)
        self._wake.clear()
        return self._stopping

    def flush(self, timeout: float) -> bool:
        """Wait until all that is in the journal now is acknowledged, or the time (seconds) is up. True if it is."""
        target = self._writer.last_seq
        deadline = time.monotonic() + timeout
        with self._passed:
            while self._acknowledged < target and not self._closed_and_gone:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._wake.set()
                self._passed.wait(min(left, 0.5))
        return True

    def stop(self, timeout: float) -> None:
        """One more try for what waits, the closing record included; then end. What remains is adopted later."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def let_go(self) -> None:
        """Close the lock: at the end, or in a forked child, where it is the parent's."""
        if self._lock is not None:
            self._lock.close()
