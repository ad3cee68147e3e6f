"""Adopts the folders of dead writers: closes, ships and removes them. A sidecar also ships the folders of living writers that do not ship."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.progress import Progress
from tokentrail.journal.reader import Found, advance, header_of
from tokentrail.journal.records import Header, gaps, join_ranges
from tokentrail.journal.refusals import load_refused, refused_files
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.volume import reason as why
from tokentrail.private_files import check_folder
from tokentrail.usage import Closing, Refused

__all__ = ["Adopter", "remove"]

UNNAMED_SECONDS: Final = 3600.0
"""Age after which a folder that still has its temporary name belongs to a writer that died while creating the folder."""


class Adopter:
    """Handles all folders of a shipper's journal except the folder `own_id`. `name` is the adopter's name in the closing records of dead writers.

    On a file system without locks no folder is touched, unless `without_locks` asserts that no writer is alive.
    """

    def __init__(self, shipper: Shipper, *, own_id: str = "", name: str = "", without_locks: bool = False) -> None:
        self._shipper = shipper
        self._own_id = own_id
        self._name = name or own_id
        self._without_locks = without_locks
        self._logged: set[Path] = set()

    def adopt_dead(self, *, patient: bool = True) -> Progress:
        """Closes, ships and removes the folders of all dead writers that no other process ships."""
        total = self._each(lambda folder: self.adopt(folder, patient=patient))
        self._shipper.forget()
        for folder in layout.abandoned_folders(self._shipper.root, time.time() - UNNAMED_SECONDS):
            with contextlib.suppress(OSError):
                lock = layout.Lock.take(folder / layout.ALIVE)
                if lock is not None:
                    remove(folder)
                    lock.close()
        return total

    def ship_living(self, *, patient: bool = True) -> Progress:
        """Ships the records of living writers whose processes do not ship (the work of a sidecar)."""
        return self._each(lambda folder: self._ship_living(folder, patient=patient))

    def _each(self, work: Callable[[Path], Progress | None]) -> Progress:
        total = Progress()
        for folder in layout.writer_folders(self._shipper.root):
            if folder.name == self._own_id:
                continue
            try:
                progress = work(folder) if _is_there(folder) else None
            except layout.NoLocks as error:
                root = self._shipper.root
                total.add(Progress(done=False, reason=layout.no_locks_sentence(root, error)))
                self._log_once(root, total.reason)
                break
            except OSError as error:
                progress = Progress(done=False, reason=f"the journal {folder} cannot be read or written: {why(error)}")
                self._log_once(folder, progress.reason)
                total.add(progress)
                continue
            if progress is None:
                continue
            total.add(progress)
            if not progress.done and folder not in self._logged:
                break  # the Collector accepts nothing now, so the other folders are not tried
        return total

    def adopt(self, folder: Path, *, patient: bool = True, own: bool = False) -> Progress | None:
        """Closes, ships and removes one dead writer's folder. Returns `None` if the writer is alive or another process ships the folder.

        `own`: this process closed the writer, so no lock is needed to prove that the writer is dead.
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
        """Ships all records of a folder whose writer has ended, then removes the folder. The caller holds the folder's locks.

        What the files do not hold is generated after their last record and is not written into the folder, so that a full disk can be emptied: the
        refused numbers (`refused` are the numbers that stand only in the memory of the writer's process), the damaged numbers, the closing record.
        """
        if header_of(folder).schema > semconv.SCHEMA_VERSION:
            reason = f"the journal {folder} was written by a newer tokentrail and is left to it"
            self._log_once(folder, reason)
            return Progress(done=False, reason=reason)
        unreported = join_ranges([*load_refused(folder), *(refused or ())])
        damaged: list[tuple[int, int]] = []

        def ends(cursor: layout.Cursor) -> list[Refused | Closing]:
            now = time.time_ns()
            report = [Refused(ranges=unreported, ts=now)] if unreported else []
            for record in report:
                cursor = advance(cursor, Found(record, 0, cursor), cursor.segment, cursor.offset)
            damaged[:] = [pair for low, high in cursor.damaged for pair in gaps(low, high, unreported)]
            if not cursor.last_seq or (cursor.closed and not damaged):
                return [*report]
            return [*report, Closing(last_seq=cursor.last_seq, ts=now, closed_by=closed_by, damaged=damaged)]

        progress = self._shipper.ship_folder(folder, live=False, patient=patient, ends=ends)
        progress.damaged = bool(damaged)
        if progress.done:
            remove(folder)
            self._shipper.forget(folder)
        return progress

    def send_end(self, header: Header, refused: list[tuple[int, int]], last_seq: int) -> bool:
        """Sends the refusals and the closing record of a writer that has no folder. Returns whether the Collector acknowledged both."""
        now = time.time_ns()
        return self._shipper.send_records(header, [Refused(ranges=refused, ts=now), Closing(last_seq=last_seq, ts=now)])

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

    def _log_once(self, folder: Path, reason: str) -> None:
        if folder not in self._logged:
            self._logged.add(folder)
            self._shipper.complain(reason)


def _is_there(folder: Path) -> bool:
    """Whether the folder is still there. Raises `OSError` with one sentence if the folder belongs to another user."""
    try:
        check_folder(folder)
    except FileNotFoundError:  # another process has adopted the folder meanwhile
        return False
    return True


def remove(folder: Path) -> None:
    """Removes a writer's folder, the lock file last. If another process opens the folder meanwhile, the rest stays until the next pass.

    Files that do not belong to the journal stay, and the folder with them.
    """
    paths = [*layout.segments(folder), folder / layout.CURSOR, folder / f"{layout.CURSOR}.new", *refused_files(folder)]
    for path in [*paths, folder / layout.SHIPPING, folder / layout.ALIVE]:
        if path.is_dir() and not path.is_symlink():
            continue
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - unlike Path.rmdir, os.rmdir has no other meaning
