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
"""Bytes that one INSERT takes from several requests; a larger request is an INSERT of its own."""


@dataclass(slots=True, eq=False)
class _Request:
    rows: bytes
    answered: bool = False
    error: Exception | None = field(default_factory=lambda: RuntimeError("the rows were not stored"))  # until the rows are stored


class GroupCommit:
    """The INSERTs of one table. `insert` stores rows, given in pieces, or raises EngineError. Safe to use from many threads."""

    def __init__(self, insert: Callable[[Sequence[bytes]], object]) -> None:
        self._insert = insert
        self._changed = threading.Condition()
        self.waiting: deque[_Request] = deque()
        self._inserting = False

    def store(self, rows: bytes) -> None:
        """Returns after the rows are stored. Raises the error that `insert` has raised for these rows alone."""
        own = _Request(rows)
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
        size = len(group[0].rows)
        while self.waiting and (size := size + len(self.waiting[0].rows)) <= MAX_GROUP:
            group.append(self.waiting.popleft())
        return group

    def _store(self, group: list[_Request]) -> None:
        """Stores a group. After an error each request is stored alone: a request that cannot be stored must not be the error of others."""
        try:
            self._insert([request.rows for request in group])
        except EngineError as error:
            if len(group) == 1:
                group[0].error = error
                return
            for request in group:
                self._store([request])
        else:
            for request in group:
                request.error = None
