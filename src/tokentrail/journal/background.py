"""The thread that ships this process's journal, and now and then what dead processes left."""

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
from tokentrail.retry import RetryPolicy
from tokentrail.settings import Settings

if TYPE_CHECKING:
    from tokentrail.journal.adoption import Adopter
    from tokentrail.journal.shipper import Shipper

__all__ = ["Background"]

LONGEST_WAIT_SECONDS: Final = 1.0
"""Between two looks of the thread whether the application has ended."""
LAST_SECONDS: Final = 60.0
"""At the process's end: how long the last thread waits for the last request of a former one. What the process's end itself waits is a setting."""


class Background:
    """One per writer; made anew after a fork. Without the setting `ship` it has no thread, and `flush` waits for the sidecar.

    When settings change, the writer is retired: its thread ships what waits to the address that was in force, once its writer is closed. What is
    not taken there is left to the thread of the writer after it, which asks `former` for it; `hand_over` makes sure that there is one.
    """

    def __init__(
        self,
        writer: Writer,
        settings: Settings,
        complain: Callable[[str], None],
        *,
        former: Callable[[], Sequence[Background]] = tuple,
        hand_over: Callable[[], object] = lambda: None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._complain = complain
        self._former = former
        self._hand_over = hand_over
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._retired = False
        self._stopping = False
        self._lock: layout.Lock | None = None
        self._acknowledged_seq = 0
        self._gone = False  # all is acknowledged, and the folder removed
        self._damaged = False
        self._adopt_at = 0.0
        self._former_at = 0.0
        self._former_tries = 0
        self._policy = policy or RetryPolicy()

    @property
    def running(self) -> bool:
        """Whether its thread has not ended."""
        return not self._ended.is_set()

    @property
    def finished(self) -> bool:
        """Whether nothing of this writer waits any more, and no thread of its own is at work."""
        return self._writer.closed and not self.running and (self._gone or (not self._writer.folder.exists() and self.told))

    @property
    def told(self) -> bool:
        """Whether the journal or the Collector knows of each refused record. An adopter tells what stands in the journal's names."""
        return (
            not self._writer.refusals.unreported or self._gone or (self._writer.closed and not self._unwritten and not self._writer.folder.exists())
        )

    @property
    def _unwritten(self) -> bool:
        """Whether there are refusals that this process alone knows of."""
        return bool(self._writer.refusals.unreported) and not (self._writer.opened and self._writer.refusals.kept)

    @property
    def _over(self) -> bool:
        """Whether the next pass is the last one."""
        return self._stopping or (self._retired and self._writer.closed)

    @property
    def put_aside(self) -> bool:
        """Whether the Collector refused a record of this writer for good."""
        return any((self._writer.root / layout.ASIDE).glob(f"{self._writer.writer_id}-*.json"))

    @property
    def damaged(self) -> bool:
        """Whether a record of this writer was in the journal and cannot be read any more."""
        self._damaged = self._damaged or bool(layout.load_cursor(self._writer.folder).damaged)
        return self._damaged

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
            self.release()
            self._ended.set()
            if self._retired and not self._stopping and not self.finished:
                self._hand_over()

    def _ship_until_stopped(self) -> None:
        # loaded by this thread: the HTTP client and protobuf are half of what an import of all this would cost the application. Not while another
        # thread forks: the child would wait for ever for a module that nobody goes on loading
        with no_fork():
            import encodings.idna  # noqa: F401, PLC0415 - else the first name that is looked up imports it

            from opentelemetry import context  # noqa: PLC0415

            from tokentrail.journal.adoption import Adopter  # noqa: PLC0415
            from tokentrail.journal.exporter import exporter_for  # noqa: PLC0415
            from tokentrail.journal.shipper import Shipper  # noqa: PLC0415

            exporter = exporter_for(self._settings)  # loads the client of the settings' protocol

        # our own requests are nobody's spans
        for name in ("suppress_instrumentation", "suppress_http_instrumentation"):
            context.attach(context.set_value(name, True))

        def shipper_of(root: Path) -> Shipper:
            return Shipper(root, exporter, wait=self._pause, complain=self._complain, policy=self._policy)

        shipper = shipper_of(self._writer.root)
        adopter = Adopter(shipper, own_id=self._writer.writer_id)
        while True:
            last = self._over
            try:
                self._ship_own(shipper, adopter)
                self._ship_former(lambda root: adopter if root == self._writer.root else Adopter(shipper_of(root)), last=last)
                self._adopt(adopter, last=last)
            except Exception as error:
                self._complain(f"the shipper failed and goes on: {type(error).__name__}: {error}")
            if last:
                break
            self._pause(self._settings.ship_interval, False)
        exporter.close()

    def _adopt(self, adopter: Adopter, *, last: bool) -> None:
        now = time.monotonic()
        if now >= self._adopt_at and not last and not self._over:
            self._adopt_at = now + self._settings.adopt_interval
            adopter.adopt_dead(patient=False)

    def _ship_own(self, shipper: Shipper, adopter: Adopter) -> None:
        writer = self._writer
        if self._gone:
            return
        if not writer.opened:
            self._tell_unwritten(adopter)
            return
        if self._lock is not None and not self._lock.holds():  # somebody removed the folder, and the writer made it anew
            self.release()
        if self._lock is None:
            self._lock = layout.Lock.take(writer.folder / layout.SHIPPING, by_name=True)
            if self._lock is None:  # a sidecar is at it, or an adopter has it shipped and removed
                if writer.closed and not writer.folder.exists():
                    self._tell_unwritten(adopter)
                return
        if writer.closed:
            finished = adopter.finish(writer.folder, patient=not self._over, refused=writer.refusals.unreported)
            self._gone, self._damaged = finished.done, self._damaged or finished.damaged
            return
        progress = shipper.ship_folder(writer.folder, live=True, patient=not self._over)
        cursor = shipper.cursor(writer.folder)
        self._damaged = self._damaged or bool(cursor.damaged)
        self._acknowledged_seq = cursor.last_seq
        if progress.done:
            writer.rotate_if_acknowledged(cursor)

    def _tell_unwritten(self, adopter: Adopter) -> None:
        """At the end of a writer that could not even make its folder, its refusals are known to this process alone."""
        writer = self._writer
        if writer.closed and self._unwritten:
            self._gone = adopter.tell(writer.header, writer.refusals.unreported, writer.last_seq)

    def _ship_former(self, adopter_of: Callable[[Path], Adopter], *, last: bool) -> None:
        """Ship what this process's former writers left, whose own threads could not: to the address that is in force now."""
        if self._retired or (time.monotonic() < self._former_at and not last):
            return
        for left in self._former():
            if left is self:
                continue
            if last:
                left._ended.wait(LAST_SECONDS)  # noqa: SLF001 - one of our own kind
            if left.running or left.finished:
                continue
            if not left._take_up(adopter_of(left._writer.root)):  # noqa: SLF001 - one of our own kind
                self._former_tries += 1
                self._former_at = time.monotonic() + self._policy.next_delay(self._former_tries, None)
                return
        self._former_tries = 0

    def _take_up(self, adopter: Adopter) -> bool:
        """Have this retired writer's folder shipped by another thread's adopter: false where nothing is taken now."""
        if not self._writer.folder.exists():
            self._tell_unwritten(adopter)
            return self.finished
        progress = adopter.adopt(self._writer.folder, patient=False, own=True)
        if progress is not None and progress.done:
            self._gone, self._damaged = not self._unwritten, self._damaged or progress.damaged
        return progress is None or progress.done

    def _pause(self, seconds: float, asked: bool) -> bool:
        """Wait; true when it is time to stop. A flush cuts the wait short, unless the server asked for it."""
        end = time.monotonic() + seconds
        while not self._over and not application_has_ended():
            left = end - time.monotonic()
            if left <= 0:
                break
            woken = self._wake.wait(min(left, LONGEST_WAIT_SECONDS))
            self._wake.clear()
            if woken and not asked:
                break
        return self._over

    def flush(self, timeout: float) -> bool:
        """Wait until all that was recorded so far is acknowledged, or the time (seconds) is up.

        True if it is. False also where the journal had to refuse a record that nobody has been told of, the Collector refused one for good, or one
        that was in the journal cannot be read any more.
        """
        return flush_all([self], timeout)

    @property
    def target(self) -> int:
        """The number up to which a flush that begins now waits."""
        return self._writer.last_written

    def has_acknowledged(self, target: int) -> bool:
        """Whether all up to that number is, and of a closed writer all that it refused is told."""
        folder = self._writer.folder
        if self._writer.closed and not self.told:
            return False  # its shipper, or the one after it, is about to tell what was refused
        if self._gone or max(self._acknowledged_seq, layout.load_cursor(folder).last_seq) >= target:
            return True
        return self._writer.closed and not folder.exists()

    def nudge(self) -> None:
        """Cut the pause short that the thread makes now."""
        self._former_at = 0.0
        self._wake.set()

    def retire(self) -> None:
        """Let the thread end once the writer is closed and what waits was sent."""
        self._retired = True
        self._wake.set()
        if not self.running and not self.finished:
            self._hand_over()

    def ask_to_stop(self) -> None:
        """One more try for what waits, the closing record included; then the thread ends. What remains is adopted later."""
        self._stopping = True
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Ask to stop, and wait for it at most so many seconds."""
        self.ask_to_stop()
        wait_until(self._ended.is_set, timeout)

    def release(self) -> None:
        """Close the lock: at the end, or in a forked child, where it is the parent's."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()
