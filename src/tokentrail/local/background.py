"""The Collector, built in the background while something else is already to be seen."""

from __future__ import annotations

import threading
from types import TracebackType

from tokentrail.local import collector
from tokentrail.local.cache import GivenUp, Progress, Unavailable
from tokentrail.local.collector import Built

__all__ = ["BackgroundBuild"]


class BackgroundBuild:
    """A thread that obtains the Collector. Leaving the block gives an unfinished build up: its processes are killed, its files removed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._result: Built | Unavailable | None = None
        self._thread = threading.Thread(target=self._obtain, name="tokentrail: the Collector's build", daemon=True)

    @property
    def under_way(self) -> bool:
        """Whether the build goes on."""
        return self._thread.is_alive()

    def wait(self) -> Built | Unavailable:
        """Return what came of the build, when it is over."""
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
