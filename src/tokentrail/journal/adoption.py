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
from tokentrail.journal.shipper import Progress, Shipper
from tokentrail.usage import Closing

__all__ = ["Adopter", "remove"]

BEGINNING_SECONDS: Final = 3600.0
"""A folder that is still unnamed after this time was begun by somebody who died over it."""


class Adopter:
    """Looks after all folders of a shipper's journal but its own. `name` stands in closing records: who wrote it for the dead writer."""

    def __init__(self, shipper: Shipper, *, own_id: str = "", name: str = "") -> None:
        self._shipper = shipper
        self._own_id = own_id
        self._name = name or own_id
        self._told: set[Path] = set()

    def adopt_dead(self, *, patient: bool = True) -> Progress:
        """Close, ship and remove the folders of all dead writers that nobody else ships."""
        total = self._each(lambda folder: self.adopt(folder, patient=patient))
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
            except OSError as error:
                progress = Progress(done=False, reason=f"the journal {folder} cannot be read or written: {error}")
                self._tell(folder, progress.reason)
                total.add(progress)
                continue
            if progress is None:
                continue
            total.add(progress)
            if not progress.done and folder not in self._told:
                break  # the Collector takes nothing now, so the other folders need not be tried
        return total

    def adopt(self, folder: Path, *, patient: bool = True) -> Progress | None:
        """Close and ship one dead writer's folder, and remove it. `None` if its writer lives or somebody else is at it.

        The closing record is made up on the way out and not written into the folder, so that a full disk can be emptied. It says what is torn.
        """
        alive = layout.Lock.take(folder / layout.ALIVE)
        if alive is None:
            return None
        shipping = layout.Lock.take(folder / layout.SHIPPING)
        try:
            if shipping is None:
                return None
            summary = summarize(folder)
            if not summary.readable:
                reason = f"the journal {folder} was written by a newer tokentrail and is left to it"
                self._tell(folder, reason)
                return Progress(done=False, reason=reason)
            closing = None
            if not summary.closed and summary.last_seq and layout.segments(folder):
                closing = Closing(last_seq=summary.last_seq, ts=time.time_ns(), closed_by=self._name, damaged=summary.missing)
            progress = self._shipper.ship_folder(folder, live=False, patient=patient, closing=closing)
            progress.adopted = 1
            if progress.done:
                remove(folder)
                self._shipper.forget(folder)
            return progress
        finally:
            alive.close()
            if shipping is not None:
                shipping.close()

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
    """Remove a writer's folder, the lock last; somebody who looks at it at this moment makes the rest stay for the next pass."""
    names = (layout.CURSOR, f"{layout.CURSOR}.new", layout.SHIPPING, layout.ALIVE)
    for path in [*layout.segments(folder), *(folder / name for name in names)]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - unlike Path.rmdir it has no other meaning
