"""What dead writers left: closed in their name, shipped, removed. And, for a sidecar, what living writers do not ship themselves."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tokentrail.journal import folder as layout
from tokentrail.journal.reader import summarize
from tokentrail.journal.records import Header, gaps, join_ranges
from tokentrail.journal.refusals import refused_files
from tokentrail.journal.shipper import Progress, Shipper
from tokentrail.journal.volume import reason as why
from tokentrail.usage import Closing, Refused

__all__ = ["Adopter", "remove"]

BEGINNING_SECONDS: Final = 3600.0
"""A folder that is still unnamed after this time was begun by somebody who died over it."""


class Adopter:
    """Looks after all folders of a shipper's journal but its own. `name` stands in closing records: who wrote it for the dead writer.

    Where the file system has no locks no folder is touched, unless `without_locks` says that no writer lives.
    """

    def __init__(self, shipper: Shipper, *, own_id: str = "", name: str = "", without_locks: bool = False) -> None:
        self._shipper = shipper
        self._own_id = own_id
        self._name = name or own_id
        self._without_locks = without_locks
        self._told: set[Path] = set()

    def adopt_dead(self, *, patient: bool = True) -> Progress:
        """Close, ship and remove the folders of all dead writers that nobody else ships."""
        total = self._each(lambda folder: self.adopt(folder, patient=patient))
        self._shipper.forget()
        for folder in layout.abandoned_beginnings(self._shipper.root, time.time() - BEGINNING_SECONDS):
            with contextlib.suppress(OSError):
                lock = layout.Lock.take(folder / layout.ALIVE)
                if lock is not None:
                    remove(folder)
                    lock.close()
        return total

    def ship_living(self, *, patient: bool = True) -> Progress:
        """Ship what living writers have written that do not ship themselves (a sidecar's work)."""
        return self._each(lambda folder: self._ship_living(folder, patient=patient))

    def _each(self, work: Callable[[Path], Progress | None]) -> Progress:
        total = Progress()
        for folder in layout.writer_folders(self._shipper.root):
            if folder.name == self._own_id:
                continue
            try:
                progress = work(folder)
            except layout.NoLocks as error:
                root = self._shipper.root
                total.add(Progress(done=False, reason=layout.without_locks(root, error)))
                self._tell(root, total.reason)
                break
            except OSError as error:
                progress = Progress(done=False, reason=f"the journal {folder} cannot be read or written: {why(error)}")
                self._tell(folder, progress.reason)
                total.add(progress)
                continue
            if progress is None:
                continue
            total.add(progress)
            if not progress.done and folder not in self._told:
                break  # the Collector takes nothing now, so the other folders need not be tried
        return total

    def adopt(self, folder: Path, *, patient: bool = True, own: bool = False) -> Progress | None:
        """Close and ship one dead writer's folder, and remove it. `None` if its writer lives or somebody else is at it.

        `own`: it was closed by this very process, so no lock is needed to know that its writer is gone.
        """
        by_name = own or self._without_locks
        alive = layout.Lock.take(folder / layout.ALIVE, by_name=by_name)
        if alive is None:
            return None
        shipping = None
        try:
            shipping = layout.Lock.take(folder / layout.SHIPPING, by_name=by_name)
            if shipping is None:
                return None
            progress = self.finish(folder, patient=patient, closed_by=self._name)
            progress.adopted = 1
            return progress
        finally:
            alive.close()
            if shipping is not None:
                shipping.close()

    def finish(self, folder: Path, *, patient: bool = True, closed_by: str = "", refused: list[tuple[int, int]] | None = None) -> Progress:
        """Ship to its end a folder that nobody writes to any more, and whose locks the caller holds; then remove it.

        What the journal cannot say is made up on the way out and not written into the folder, so that a full disk can be emptied: which numbers were
        refused (`refused` are those that only its own process knows), which are torn, and the closing record.
        """
        summary = summarize(folder, cursor=self._shipper.cursor(folder))
        if not summary.readable:
            reason = f"the journal {folder} was written by a newer tokentrail and is left to it"
            self._tell(folder, reason)
            return Progress(done=False, reason=reason)
        unreported = join_ranges([*summary.unreported, *(refused or ())])
        missing = [pair for low, high in summary.missing for pair in gaps(low, high, unreported)]
        last_seq = max([summary.last_seq, *(high for _, high in unreported)])
        now = time.time_ns()
        made_up: list[Refused | Closing] = [Refused(ranges=unreported, ts=now)] if unreported else []
        if last_seq and (summary.missing or not summary.closed):
            made_up.append(Closing(last_seq=last_seq, ts=now, closed_by=closed_by, damaged=missing))
        progress = self._shipper.ship_folder(folder, live=False, patient=patient, made_up=made_up)
        progress.damaged = bool(missing)
        if progress.done:
            remove(folder)
            self._shipper.forget(folder)
        return progress

    def tell(self, header: Header, refused: list[tuple[int, int]], last_seq: int) -> bool:
        """Send the refusals and the end of a writer that has no folder: whether they are acknowledged."""
        now = time.time_ns()
        return self._shipper.tell(header, [Refused(ranges=refused, ts=now), Closing(last_seq=last_seq, ts=now)])

    def _ship_living(self, folder: Path, *, patient: bool) -> Progress | None:
        if not layout.is_alive(folder):
            return None
        lock = layout.Lock.take(folder / layout.SHIPPING)
        if lock is None:
            return None
        try:
            return self._shipper.ship_folder(folder, live=True, patient=patient)
        finally:
            lock.close()

    def _tell(self, folder: Path, reason: str) -> None:
        if folder not in self._told:
            self._told.add(folder)
            self._shipper.complain(reason)


def remove(folder: Path) -> None:
    """Remove a writer's folder, the lock last; somebody who looks at it at this moment makes the rest stay for the next pass.

    What is nobody's of the journal stays, and the folder with it.
    """
    paths = [*layout.segments(folder), folder / layout.CURSOR, folder / f"{layout.CURSOR}.new", *refused_files(folder)]
    for path in [*paths, folder / layout.SHIPPING, folder / layout.ALIVE]:
        if path.is_dir() and not path.is_symlink():
            continue
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - unlike Path.rmdir it has no other meaning
