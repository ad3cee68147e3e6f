"""Writes that the engine could not make: they are noticed, nothing is acknowledged over them, and what they have spoilt is taken back.

ClickHouse's server ends a statement when the disk takes no more bytes. chDB goes on as if they were written (chDB 26.1 to 26.9, observed by filling a
disk amid statements): an INSERT reports success, and a merge puts a part of empty files in the place of whole parts, which are deleted eight minutes
later (`old_parts_lifetime`). All that chDB does is to count: `WriteBufferFromFileDescriptorWriteFailed` in `system.events`.

So the count is read after each statement that stores something. A thread reads it too, for merges: it stops them, has the recent parts checked, and
loads the tables of spoilt parts anew; then the engine itself puts such a part aside and takes the whole parts back. Merges go on when there is room.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokentrail.embedded.errors import CANNOT_WRITE, NOT_ENOUGH_SPACE, EngineError

if TYPE_CHECKING:
    from tokentrail.embedded.engine import Engine

__all__ = ["FAILED_WRITES", "EngineError", "Writes", "changes_definitions", "watching"]

logger = logging.getLogger("tokentrail.embedded")

FAILED_WRITES: Final = "SELECT sum(value) FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
_EVERY_S: Final = 1.0
_MERGES_END_S: Final = 30.0
_EARLIER_S: Final = 60
"""How much older than the last good look a part may be by its clock, to be checked all the same."""
_DEFINITION_BYTES: Final = 1 << 20
_DEFINES: Final = re.compile(r"\s*(?:CREATE|RENAME|EXCHANGE|ALTER\s+TABLE\b(?!.*\b(?:PARTITION|PART|DELETE|UPDATE)\b))\b", re.IGNORECASE | re.DOTALL)
_PARTS: Final = "SELECT database, table, name FROM system.parts WHERE active AND modification_time >= toDateTime({since})"


def _has_room(folder: Path, size: int) -> bool:
    """Whether the folder's disk takes so many bytes more; true where nobody knows."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize >= size


def changes_definitions(statement: str, folder: Path) -> None:
    """Raises EngineError if a statement would write a definition to a full disk: with an empty file of it a table is gone at the next start."""
    if _DEFINES.match(statement) and not _has_room(folder, _DEFINITION_BYTES):
        raise EngineError(NOT_ENOUGH_SPACE, f"No definition is changed while the disk of {folder} is full. (NOT_ENOUGH_SPACE)")


class Writes:
    """How many writes of an engine have failed. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known = 0
        self.grew = threading.Event()

    def failed(self) -> int:
        """Reads the count."""
        ((count,),) = self._engine.ask(FAILED_WRITES)
        self._known = max(self._known, int(count))
        return int(count)

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raises EngineError after a block if any write of the engine has failed meanwhile: whose write it was is not known."""
        before = self._known
        yield
        if self.failed() > before:
            self.grew.set()
            raise EngineError(CANNOT_WRITE, "The disk has not taken all that was written: it is full, or it fails. (CANNOT_WRITE_TO_FILE_DESCRIPTOR)")


@contextmanager
def watching(engine: Engine, every_s: float = _EVERY_S) -> Iterator[None]:
    """Looks for failed writes in a thread until the block ends, and takes back what they have spoilt."""
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(engine, every_s, ended), name="tokentrail-writes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        engine.writes.grew.set()
        thread.join()


def _watch(engine: Engine, every_s: float, ended: threading.Event) -> None:
    repair = _Repair(engine)
    while not ended.is_set():
        engine.writes.grew.wait(every_s)
        engine.writes.grew.clear()
        if ended.is_set():
            return
        try:
            repair.look()
        except Exception as error:  # the next look tries again; the server goes on
            logger.warning("what failed writes have spoilt could not be taken back yet: %s", error)


class _Repair:
    """What was seen at the last look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._done = engine.writes.failed()
        self._since = time.time()
        self._merges_stand_still = False

    def look(self) -> None:
        """Takes back what is spoilt if writes have failed since the last look, and lets merges go on when there is room."""
        began, failed = time.time(), self._engine.writes.failed()
        if failed > self._done:
            self._stop_merges()
            for database, table in sorted({(part[0], part[1]) for part in self._spoilt()}):
                self._load_anew(f"{_quoted(database)}.{_quoted(table)}")
            self._done = failed
        elif self._merges_stand_still and self._may_merge():
            self._engine.ask("SYSTEM START MERGES")
            self._merges_stand_still = False
            logger.warning("there is room again: merges go on")
        self._since = began

    def _stop_merges(self) -> None:
        """Stops merges, which are written anew later, and waits until none is under way."""
        if not self._merges_stand_still:
            logger.error("the disk of %s is full, or it fails: what it does not take is not acknowledged, and merges stand still", self._engine.data)
        self._engine.ask("SYSTEM STOP MERGES")
        self._merges_stand_still = True
        deadline = time.monotonic() + _MERGES_END_S
        while time.monotonic() < deadline and self._engine.ask("SELECT count() FROM system.merges")[0][0] not in (0, "0"):
            time.sleep(0.05)

    def _spoilt(self) -> Iterator[tuple[str, str, str]]:
        for database, table, part in self._engine.ask(_PARTS.replace("{since}", str(int(self._since) - _EARLIER_S))):
            where = f"{_quoted(database)}.{_quoted(table)}"
            try:
                found = self._engine.ask(f"CHECK TABLE {where} PART '{part}' SETTINGS check_query_single_value_result = 0")
            except EngineError as error:
                found = [[part, 0, error.message]]
            if any(not int(passed) for _part, passed, _why in found):
                logger.error("a full disk has spoilt the part %s of %s", part, where)
                yield database, table, part

    def _load_anew(self, table: str) -> None:
        """Has the engine read a table's folder again, as at a start: spoilt parts are put aside, and what they had replaced is active again."""
        with self._engine.alone():
            self._engine.ask(f"DETACH TABLE {table} SYNC")
            self._engine.ask(f"ATTACH TABLE {table}")
        logger.warning("%s was loaded anew: it has all that was acknowledged", table)

    def _may_merge(self) -> bool:
        disk = os.statvfs(self._engine.data)
        return disk.f_bavail * 20 >= disk.f_blocks


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
