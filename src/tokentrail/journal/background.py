"""The thread that ships this process's journal, and now and then what dead processes left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tokentrail.journal import folder as layout
from tokentrail.journal.endpoint import endpoint_problem
from tokentrail.journal.writer import Writer
from tokentrail.settings import Settings
from tokentrail.threads import application_has_ended, start, wait_until

if TYPE_CHECKING:
    from tokentrail.journal.adoption import Adopter
    from tokentrail.journal.shipper import Shipper

__all__ = ["Background"]

LONGEST_WAIT_SECONDS: Final = 1.0
"""Between two looks of the thread whether the application has ended."""
LOOK_SECONDS: Final = 0.01
"""Between two looks of a waiting flush at how far the journal is acknowledged, by this process or a sidecar."""


class Background:
    """One per writer; made anew after a fork. Without the setting `ship` it has no thread, and `flush` waits for the sidecar."""

    def __init__(self, writer: Writer, settings: Settings, complain: Callable[[str], None]) -> None:
        self._writer = writer
        self._settings = settings
        self._complain = complain
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._stopping = False
        self._lock: layout.Lock | None = None
        self._acknowledged_seq = 0
        self._gone = False  # all is acknowledged, and the folder removed
        self._adopt_at = 0.0

    def start(self) -> None:
        """Start the thread. Where none can be started (the interpreter is going down), the journal waits to be adopted."""
        if not self._settings.ship:
            return
        problem = endpoint_problem(self._settings)
        if problem:
            self._complain(f"{problem}; records stay in the journal {self._writer.root}")
            return
        self._ended.clear()
        if not start(self._run):
            self._ended.set()

    def _run(self) -> None:
        try:
            self._ship_until_stopped()
        except Exception as error:
            self._complain(f"the shipper ended: {type(error).__name__}: {error}; records stay in the journal {self._writer.root}")
        finally:
            self.let_go()
            self._ended.set()

    def _ship_until_stopped(self) -> None:
        # loaded by this thread: the HTTP client and protobuf are half of what an import of all this would cost the application. Not while another
        # thread forks: the child would wait for ever for a module that nobody goes on loading
        with layout.no_fork():
            from opentelemetry import context  # noqa: PLC0415

            from tokentrail.journal.adoption import Adopter  # noqa: PLC0415
            from tokentrail.journal.exporter import exporter_for  # noqa: PLC0415
            from tokentrail.journal.shipper import Shipper  # noqa: PLC0415

            exporter = exporter_for(self._settings)  # loads the client of the settings' protocol

        threading.current_thread().name = "tokentrail-shipper"
        # our own requests are nobody's spans
        for name in ("suppress_instrumentation", "suppress_http_instrumentation"):
            context.attach(context.set_value(name, True))
        shipper = Shipper(self._writer.root, exporter, wait=self._pause, complain=self._complain)
        adopter = Adopter(shipper, own_id=self._writer.writer_id)
        while not self._gone:
            last = self._stopping
            try:
                self._pass(shipper, adopter)
            except Exception as error:
                self._complain(f"the shipper failed and goes on: {type(error).__name__}: {error}")
            if last:
                break
            self._pause(self._settings.ship_interval, False)
        exporter.close()

    def _pass(self, shipper: Shipper, adopter: Adopter) -> None:
        self._ship_own(shipper)
        now = time.monotonic()
        if now >= self._adopt_at and not self._stopping:
            self._adopt_at = now + self._settings.adopt_interval
            adopter.adopt_dead(patient=False)

    def _ship_own(self, shipper: Shipper) -> None:
        writer = self._writer
        if not writer.opened:
            return
        if self._lock is not None and not self._lock.holds():  # somebody removed the folder, and the writer made it anew
            self.let_go()
        if self._lock is None:
            self._lock = layout.Lock.take(writer.folder / layout.SHIPPING)
            if self._lock is None:  # a sidecar is at it, or an adopter has it shipped and removed
                self._gone = writer.closed and not writer.folder.exists()
                return
        closed = writer.closed
        progress = shipper.ship_folder(writer.folder, live=not closed, patient=not self._stopping)
        self._acknowledged_seq = shipper.cursor(writer.folder).last_seq
        if not progress.done:
            return
        if closed:
            from tokentrail.journal.adoption import remove  # noqa: PLC0415 - loaded already

            remove(writer.folder)
            self._gone = True
        else:
            writer.begin_anew(shipper.cursor(writer.folder))

    def _pause(self, seconds: float, asked: bool) -> bool:
        """Wait; true when it is time to stop. A flush cuts the wait short, unless the server asked for it."""
        end = time.monotonic() + seconds
        while not self._stopping and not application_has_ended():
            left = end - time.monotonic()
            if left <= 0:
                break
            woken = self._wake.wait(min(left, LONGEST_WAIT_SECONDS))
            self._wake.clear()
            if woken and not asked:
                break
        return self._stopping

    def flush(self, timeout: float) -> bool:
        """Wait until all that was recorded so far is acknowledged, or the time (seconds) is up.

        True if it is. False also where the journal had to refuse a record that nobody has been told of, or the Collector refused one for good.
        """
        target = self._writer.last_written
        deadline = time.monotonic() + timeout
        nudge = 0.0
        while not self._acknowledged(target):
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= nudge:  # at once, then less often: a Collector that is away is not helped by more requests
                nudge = now + 50 * LOOK_SECONDS
                self._wake.set()
            self._ended_or(min(LOOK_SECONDS, deadline - now))
        # a record is put aside before the cursor passes it, by this process or a sidecar
        return not self._writer.untold and not any((self._writer.root / layout.ASIDE).glob(f"{self._writer.writer_id}-*.json"))

    def _acknowledged(self, target: int) -> bool:
        folder = self._writer.folder
        if self._gone or max(self._acknowledged_seq, layout.load_cursor(folder).last_seq) >= target:
            return True
        return self._writer.closed and not folder.exists()

    def _ended_or(self, seconds: float) -> None:
        if self._ended.is_set():
            time.sleep(seconds)
        else:
            wait_until(self._ended.is_set, seconds)

    def stop(self, timeout: float) -> None:
        """One more try for what waits, the closing record included; then end. What remains is adopted later."""
        self._stopping = True
        self._wake.set()
        wait_until(self._ended.is_set, timeout)

    def let_go(self) -> None:
        """Close the lock: at the end, or in a forked child, where it is the parent's."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()
