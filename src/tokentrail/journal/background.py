"""The thread that ships the records of this process's writer and, at intervals, adopts the folders of dead writers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokentrail.journal import folder as layout
from tokentrail.journal.endpoint import endpoint_problem
from tokentrail.journal.flush import flush_all
from tokentrail.journal.writer import Writer
from tokentrail.process.forks import no_fork
from tokentrail.process.threads import application_has_ended, start, wait_until
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.settings import Settings

if TYPE_CHECKING:
    from tokentrail.journal.adoption import Adopter
    from tokentrail.journal.shipper import Shipper

__all__ = ["Background"]

LONGEST_WAIT_SECONDS: Final = 1.0
"""Interval at which the thread checks whether the application has ended."""
LAST_REQUEST_SECONDS: Final = 60.0
"""At the process's end: how long the last thread waits for a retired thread's last request. The wait of the process's end itself is a setting."""


class Background:
    """Ships the records of one writer; a forked child creates another one. Without the setting `ship` no thread starts: `flush` waits for a sidecar.

    When settings change, the writer is retired: once the writer is closed, its thread ships the waiting records to the former address. Records that
    are not accepted there are shipped by the next writer's thread, which calls `former` for the retired backgrounds; `hand_over` ensures that such a
    thread exists.
    """

    def __init__(
        self,
        writer: Writer,
        settings: Settings,
        complain: Callable[[str], None],
        *,
        count_error: Callable[[str], object] = lambda _where: None,
        former: Callable[[], Sequence[Background]] = tuple,
        hand_over: Callable[[], object] = lambda: None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._complain = complain
        self._count_error = count_error
        self._former = former
        self._hand_over = hand_over
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._retired = False
        self._stopping = False
        self._lock: layout.Lock | None = None
        self._acknowledged_seq = 0
        self._removed = False  # all records are acknowledged, and the folder is removed
        self._damaged = False
        self._adopt_at = 0.0
        self._former_at = 0.0
        self._former_tries = 0
        self._policy = policy or RetryPolicy()

    @property
    def running(self) -> bool:
        """Whether the thread has not ended."""
        return not self._ended.is_set()

    @property
    def finished(self) -> bool:
        """Whether no record of this writer waits any more, and the thread has ended."""
        return self._writer.closed and not self.running and (self._removed or (not self._writer.folder.exists() and self.refusals_reported))

    @property
    def refusals_reported(self) -> bool:
        """Whether the journal or the Collector holds each refused number. An adopter reports the numbers that stand in file names of the journal."""
        return (
            not self._writer.refusals.unreported
            or self._removed
            or (self._writer.closed and not self._has_unstored_refusals and not self._writer.folder.exists())
        )

    @property
    def _has_unstored_refusals(self) -> bool:
        """Whether refusals stand only in the memory of this process."""
        return bool(self._writer.refusals.unreported) and not (self._writer.opened and self._writer.refusals.kept)

    @property
    def _is_last_pass(self) -> bool:
        """Whether the next pass is the last one."""
        return self._stopping or (self._retired and self._writer.closed)

    @property
    def put_aside(self) -> bool:
        """Whether the Collector refused a record of this writer for good."""
        return any((self._writer.root / layout.ASIDE).glob(f"{self._writer.writer_id}-*.json"))

    @property
    def damaged(self) -> bool:
        """Whether a record of this writer was in the journal and cannot be read any more (damage)."""
        self._damaged = self._damaged or bool(layout.load_cursor(self._writer.folder).damaged)
        return self._damaged

    def start(self) -> None:
        """Starts the thread. Where no thread can be started (the interpreter is shutting down), the journal waits for adoption."""
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
            self._count_error("journal.shipper")
            self._complain(f"the shipper ended: {type(error).__name__}: {error}; records stay in the journal {self._writer.root}")
        finally:
            self.release()
            self._ended.set()
            if self._retired and not self._stopping and not self.finished:
                self._hand_over()

    def _ship_until_stopped(self) -> None:
        # imported by this thread: the HTTP client and protobuf are half of the import time that the application would pay. Not while another thread
        # forks: the child would wait for ever for the import lock of a module whose loading thread does not exist there
        with no_fork():
            from opentelemetry import context  # noqa: PLC0415

            from tokentrail.journal.adoption import Adopter  # noqa: PLC0415
            from tokentrail.journal.exporter import exporter_for  # noqa: PLC0415
            from tokentrail.journal.shipper import Shipper  # noqa: PLC0415
            from tokentrail.process.names import load_name_service  # noqa: PLC0415

            exporter = exporter_for(self._settings)  # imports the client of the settings' protocol
            load_name_service()

        # the shipper's requests must not become spans
        for name in ("suppress_instrumentation", "suppress_http_instrumentation"):
            context.attach(context.set_value(name, True))

        def shipper_of(root: Path) -> Shipper:
            return Shipper(root, exporter, wait=self._pause, complain=self._complain, policy=self._policy)

        shipper = shipper_of(self._writer.root)
        adopter = Adopter(shipper, own_id=self._writer.writer_id)
        while True:
            last = self._is_last_pass
            try:
                self._ship_own(shipper, adopter)
                self._ship_former(lambda root: adopter if root == self._writer.root else Adopter(shipper_of(root)), last=last)
                self._adopt(adopter, last=last)
            except Exception as error:
                self._count_error("journal.shipper")
                self._complain(f"the shipper failed and goes on: {type(error).__name__}: {error}")
            if last:
                break
            self._pause(self._settings.ship_interval, False)
        exporter.close()

    def _adopt(self, adopter: Adopter, *, last: bool) -> None:
        now = time.monotonic()
        if now >= self._adopt_at and not last and not self._is_last_pass:
            self._adopt_at = now + self._settings.adopt_interval
            adopter.adopt_dead(patient=False)

    def _ship_own(self, shipper: Shipper, adopter: Adopter) -> None:
        writer = self._writer
        if self._removed:
            return
        if not writer.opened:
            self._send_unstored_refusals(adopter)
            return
        if self._lock is not None and not self._lock.holds():  # the folder was removed, and the writer recreated the folder
            self.release()
        if self._lock is None:
            self._lock = layout.Lock.take(writer.folder / layout.SHIPPING, by_name=True)
            if self._lock is None:  # a sidecar ships the folder, or an adopter has removed the folder
                if writer.closed and not writer.folder.exists():
                    self._send_unstored_refusals(adopter)
                return
        if writer.closed:
            finished = adopter.finish(writer.folder, patient=not self._is_last_pass, refused=writer.refusals.unreported)
            self._removed, self._damaged = finished.done, self._damaged or finished.damaged
            return
        progress = shipper.ship_folder(writer.folder, live=True, patient=not self._is_last_pass)
        cursor = shipper.cursor(writer.folder)
        self._damaged = self._damaged or bool(cursor.damaged)
        self._acknowledged_seq = cursor.last_seq
        if progress.done:
            writer.rotate_if_acknowledged(cursor)

    def _send_unstored_refusals(self, adopter: Adopter) -> None:
        """Sends the refusals of a closed writer that could not create its folder: they stand only in the memory of this process."""
        writer = self._writer
        if writer.closed and self._has_unstored_refusals:
            self._removed = adopter.send_end(writer.header, writer.refusals.unreported, writer.last_seq)

    def _ship_former(self, adopter_of: Callable[[Path], Adopter], *, last: bool) -> None:
        """Ships the records that retired writers' threads could not ship, to the current address."""
        if self._retired or (time.monotonic() < self._former_at and not last):
            return
        for left in self._former():
            if left is self:
                continue
            if last:
                left._ended.wait(LAST_REQUEST_SECONDS)  # noqa: SLF001 - the same class
            if left.running or left.finished:
                continue
            if not left._adopt_with(adopter_of(left._writer.root)):  # noqa: SLF001 - the same class
                self._former_tries += 1
                self._former_at = time.monotonic() + self._policy.next_delay(self._former_tries, None)
                return
        self._former_tries = 0

    def _adopt_with(self, adopter: Adopter) -> bool:
        """Ships this retired writer's folder with another thread's adopter. Returns false if the Collector accepts nothing now."""
        if not self._writer.folder.exists():
            self._send_unstored_refusals(adopter)
            return self.finished
        progress = adopter.adopt(self._writer.folder, patient=False, own=True)
        if progress is not None and progress.done:
            self._removed, self._damaged = not self._has_unstored_refusals, self._damaged or progress.damaged
        return progress is None or progress.done

    def _pause(self, seconds: float, asked: bool) -> bool:
        """Waits; returns true if the next pass is the last one. A flush cuts the wait short, unless the server asked for the pause."""
        end = time.monotonic() + seconds
        while not self._is_last_pass and not application_has_ended():
            left = end - time.monotonic()
            if left <= 0:
                break
            woken = self._wake.wait(min(left, LONGEST_WAIT_SECONDS))
            self._wake.clear()
            if woken and not asked:
                break
        return self._is_last_pass

    def flush(self, timeout: float) -> bool:
        """Waits until all records appended so far are acknowledged, or `timeout` seconds have passed. Returns whether all are acknowledged.

        Returns false also if a refused record is not reported yet, if the Collector refused a record for good, or if a record is damaged.
        """
        return flush_all([self], timeout)

    @property
    def target(self) -> int:
        """The last record number that a flush beginning now waits for."""
        return self._writer.last_written

    def has_acknowledged(self, target: int) -> bool:
        """Whether all records up to that number are acknowledged and, for a closed writer, all refusals are reported."""
        folder = self._writer.folder
        if self._writer.closed and not self.refusals_reported:
            return False  # the writer's shipper, or the next writer's, is about to report the refusals
        if self._removed or max(self._acknowledged_seq, layout.load_cursor(folder).last_seq) >= target:
            return True
        return self._writer.closed and not folder.exists()

    def wake(self) -> None:
        """Ends the thread's current pause."""
        self._former_at = 0.0
        self._wake.set()

    def retire(self) -> None:
        """Lets the thread end once the writer is closed and the waiting records are sent."""
        self._retired = True
        self._wake.set()
        if not self.running and not self.finished:
            self._hand_over()

    def ask_to_stop(self) -> None:
        """Makes the thread's next pass the last one; the pass includes the closing record. Records that remain are adopted later."""
        self._stopping = True
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Asks the thread to stop, and waits at most `timeout` seconds for its end."""
        self.ask_to_stop()
        wait_until(self._ended.is_set, timeout)

    def release(self) -> None:
        """Closes the lock file: at the end, or in a forked child, where the lock is the parent's."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()
