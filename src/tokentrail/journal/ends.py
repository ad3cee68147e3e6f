"""What one process writes with: the writer in force, and those of former settings, of which nothing is forgotten before it is told."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path

from tokentrail.journal import folder as layout
from tokentrail.journal.background import Background
from tokentrail.journal.writer import Writer
from tokentrail.process.mutexes import Mutex

__all__ = ["End", "Former"]


class End:
    """A writer, the thread that ships what it writes, and how many of its records wait for an estimate.

    A call is known by its writer and number, so an estimate must be written by the writer of the record that it completes: a retired writer is
    closed once its last estimate is there.
    """

    __slots__ = ("_expected", "_retired", "background", "writer")

    def __init__(self, writer: Writer, background: Background) -> None:
        self.writer = writer
        self.background = background
        self._expected: deque[None] = deque()  # a counter without a lock, for finalizers
        self._retired = False

    def expect(self) -> None:
        """Stay open for one estimate more."""
        self._expected.append(None)

    def settle(self) -> None:
        """The estimate is written, or will not come."""
        with contextlib.suppress(IndexError):  # an interrupt came between the estimate's end and its counting
            self._expected.pop()
        self._close_if_done()

    def retire(self) -> None:
        """No further calls come."""
        self._retired = True
        self._close_if_done()
        self.background.retire()

    def _close_if_done(self) -> None:
        if self._retired and not self._expected:
            self.writer.close()
            self.background.nudge()

    def release(self) -> None:
        """In a forked child: close what is the parent's."""
        self.background.release()
        self.writer.release()


class Former:
    """The retired ends of a process, until all of theirs is acknowledged; and what stays to be known of them."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._begin()

    def _begin(self) -> None:
        self._ends: list[End] = []
        self._numbers = 0
        self._refused = 0
        self._aside: set[tuple[Path, str]] = set()
        self.damaged = False
        """Whether a record of an end that was let go could not be read any more."""

    def add(self, end: End) -> None:
        """Keep an end that is not the process's current one any more."""
        with self._mutex.lock:
            self._ends.append(end)

    def waiting(self) -> list[End]:
        """Those of which something still waits. The others are counted and let go."""
        for end in tuple(self._ends):
            if end.background.finished:
                put_aside, damaged = end.background.put_aside, end.background.damaged
                with self._mutex.lock:
                    if end in self._ends:
                        self._ends.remove(end)
                        self._numbers += end.writer.last_seq
                        self._refused += end.writer.refused
                        self.damaged |= damaged
                        if put_aside:
                            self._aside.add((end.writer.root, end.writer.writer_id))
        return list(self._ends)

    @property
    def put_aside(self) -> bool:
        """Whether the Collector refused a record of an end that was let go, and nobody has sent it since."""
        for root, writer_id in tuple(self._aside):
            if any((root / layout.ASIDE).glob(f"{writer_id}-*.json")):
                return True
            self._aside.discard((root, writer_id))
        return False

    def counts(self) -> tuple[int, int]:
        """How many numbers all of them gave, and how many of these records they refused."""
        with self._mutex.lock:
            numbers = self._numbers + sum(end.writer.last_seq for end in self._ends)
            return numbers, self._refused + sum(end.writer.refused for end in self._ends)

    def forget(self) -> None:
        """Forget all of it in a forked child: it is the parent's."""
        for end in self._ends:
            end.release()
        self._begin()
