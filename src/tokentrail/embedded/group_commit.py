"""Group commit: requests that wait side by side are stored by one INSERT, and each is answered after that INSERT.

An INSERT into the landing table takes a tenth of a second of CPU before its first row: ClickHouse analyses the views behind the table each time. So
one INSERT runs at a time, and requests that arrive meanwhile are the next one. A request that arrives alone is stored at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tokentrail.embedded.errors import EngineError

__all__ = ["GroupCommit"]

MAX_GROUP: Final = 64 << 20
"""Bytes of rows that one INSERT takes from several requests; a larger request is an INSERT of its own."""


@dataclass(slots=True, eq=False)
class _Request:
    rows: bytes
    size: int
    answered: bool = False
    error: Exception | None = field(default_factory=lambda: RuntimeError("the rows were not stored"))  # until the rows are stored


class GroupCommit:
    """The INSERTs of one table. Safe to use from many threads.

    `insert` stores the requests of a group, or raises EngineError. `fits` tells which of the requests may be the reason of an error that is not
    transient: for those `insert` need not be tried again.
    """

    def __init__(self, insert: Callable[[Sequence[bytes]], object], fits: Callable[[bytes], bool] = lambda _rows: True) -> None:
        self._insert = insert
        self._fits = fits
        self._changed = threading.Condition()
        self.waiting: deque[_Request] = deque()
        self._inserting = False

    def store(self, rows: bytes, size: int = 0) -> None:
        """Returns after the rows are stored. Raises the error that `insert` has raised for these rows. `size`: bytes as rows, if that is more."""
        own = _Request(rows, max(size, len(rows)))
        with self._changed:
            self.waiting.append(own)
        while not own.answered:
            with self._changed:
                self._changed.wait_for(lambda: own.answered or not self._inserting)
                if own.answered:
                    break
                self._inserting = True
                group = self._take()
            try:
                self._store(group)
            finally:
                with self._changed:
                    self._inserting = False
                    for request in group:
                        request.answered = True
                    self._changed.notify_all()
        if own.error is not None:
            raise own.error

    def _take(self) -> list[_Request]:
        """Takes the requests that have waited longest, as many as one INSERT takes."""
        group = [self.waiting.popleft()]
        size = group[0].size
        while self.waiting and (size := size + self.waiting[0].size) <= MAX_GROUP:
            group.append(self.waiting.popleft())
        return group

    def _store(self, group: list[_Request]) -> None:
        """Stores a group. After an error the requests that fit are stored without the others, or each alone: one must not be the error of all."""
        error = self._try(group)
        if error is None or len(group) == 1:
            return
        if not error.transient and 0 < len(fitting := [request for request in group if self._fits(request.rows)]) < len(group):
            self._store(fitting)
            return
        for request in group:
            self._try([request])

    def _try(self, group: list[_Request]) -> EngineError | None:
        """Stores requests by one INSERT, and notes its error at each of them."""
        error = None
        try:
            self._insert([request.rows for request in group])
        except EngineError as raised:
            error = raised
        for request in group:
            request.error = error
        return error
