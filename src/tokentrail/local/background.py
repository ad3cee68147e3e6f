"""Builds the Collector in the background, while the demo already runs."""

from __future__ import annotations

import threading
from types import TracebackType

from tokentrail.local import collector
from tokentrail.local.cache import GivenUp, Progress, Unavailable
from tokentrail.local.collector import Built

__all__ = ["BackgroundBuild"]


class BackgroundBuild:
    """A thread that obtains the Collector. Leaving the block cancels an unfinished build: kills the processes and removes the files."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._result: Built | Unavailable | None = None
        self._thread = threading.Thread(target=self._obtain, name="tokentrail: the Collector's build", daemon=True)

    @property
    def under_way(self) -> bool:
        """Whether the build is running."""
        return self._thread.is_alive()

    def wait(self) -> Built | Unavailable:
        """Waits for the end of the build and returns the result."""
        self._thread.join()
        return self._result or Unavailable("the official Collector", "its build was given up")

    def __enter__(self) -> BackgroundBuild:  # noqa: PYI034 - Self is in the standard library from Python 3.11
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.give_up()
        self._thread.join()

    def _obtain(self) -> None:
        try:
            self._result = collector.obtain(self._progress)
        except GivenUp:
            self._result = None
        except Exception as error:
            self._result = Unavailable("the official Collector", f"its build failed ({error})")
