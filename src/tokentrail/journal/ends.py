"""The writers of one process: the current writer and the retired writers of former settings, kept until their records are acknowledged."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path

from tokentrail.journal import folder as layout
from tokentrail.journal.background import Background
from tokentrail.journal.writer import Writer
from tokentrail.process.mutexes import Mutex

__all__ = ["End", "RetiredEnds"]


class End:
    """A writer, its shipping thread, and the number of its records that wait for an estimate.

    A call is identified by writer and number, so the estimate must be appended by the writer of the record that the estimate completes. A retired
    writer is closed after its last estimate.
    """

    __slots__ = ("_expected", "_retired", "background", "writer")

    def __init__(self, writer: Writer, background: Background) -> None:
        self.writer = writer
        self.background = background
        self._expected: deque[None] = deque()  # a counter without a lock, for finalizers
        self._retired = False

    def expect(self) -> None:
        """Keeps the writer open for one more estimate."""
        self._expected.append(None)

    def settle(self) -> None:
        """Counts one expected estimate as done: appended, or given up."""
        with contextlib.suppress(IndexError):  # an interrupt fell between the estimate's end and this count
            self._expected.pop()
        self._close_if_done()

    def retire(self) -> None:
        """Closes the writer once no estimate is expected, and retires the shipping thread: no more calls are recorded."""
        self._retired = True
        self._close_if_done()
        self.background.retire()

    def _close_if_done(self) -> None:
        if self._retired and not self._expected:
            self.writer.close()
            self.background.wake()

    def release(self) -> None:
        """Closes the parent's files in a forked child."""
        self.background.release()
        self.writer.release()


class RetiredEnds:
    """The retired ends of a process, each kept until its records are acknowledged, and the counts of the removed ones."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._begin()

    def _begin(self) -> None:
        self._ends: list[End] = []
        self._numbers = 0
        self._refused = 0
        self._aside: set[tuple[Path, str]] = set()
        self.damaged = False
        """Whether a record of a removed end was damaged."""

    def add(self, end: End) -> None:
        """Keeps an end that is no longer the current end of the process."""
        with self._mutex.lock:
            self._ends.append(end)

    def waiting(self) -> list[End]:
        """Returns the ends that have waiting records. Removes the other ends, and keeps their counts."""
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
        """Whether a record of a removed end was put aside and not sent since."""
        for root, writer_id in tuple(self._aside):
            if any((root / layout.ASIDE).glob(f"{writer_id}-*.json")):
                return True
            self._aside.discard((root, writer_id))
        return False

    def counts(self) -> tuple[int, int]:
        """Returns how many numbers all retired writers gave, and how many of these records were refused."""
        with self._mutex.lock:
            numbers = self._numbers + sum(end.writer.last_seq for end in self._ends)
            return numbers, self._refused + sum(end.writer.refused for end in self._ends)

    def forget(self) -> None:
        """Releases all ends in a forked child: they are the parent's."""
        for end in self._ends:
            end.release()
        self._begin()
