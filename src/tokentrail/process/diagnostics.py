"""Diagnostics of tokentrail: warnings in the log, each at most once a minute, and the number of internal errors."""

from __future__ import annotations

import logging
import time
import traceback
from typing import Final

__all__ = ["Diagnostics", "log", "one_line"]

logger = logging.getLogger("tokentrail")

LOG_SECONDS: Final = 60.0
"""Between two warnings with the same subject."""
MAX_ONCE_KEYS: Final = 512


def one_line(text: str) -> str:
    """Returns the text with blanks for signs that are not printable: a text from elsewhere forges no line of a log, and steers no terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


def log(level: int, message: str, *args: object) -> bool:
    """Logs a message. Returns False if a handler or a filter of the application raised: a message must not end a call, or a thread."""
    try:
        logger.log(level, message, *args)
    except Exception:
        return False
    return True


class Diagnostics:
    """The warnings and the caught errors of one runtime. `internal_errors` counts errors by the place that caught them."""

    __slots__ = ("_logged", "_once", "internal_errors")

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}
        self._once: set[tuple[object, ...]] = set()
        self.internal_errors: dict[str, int] = {}

    def complain(self, sentence: str, *, about: str = "") -> None:
        """Logs a warning, at most once a minute for the same `about`."""
        now = time.monotonic()
        about = about or sentence[:40]
        if now - self._logged.get(about, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged[about] = now
            if not log(logging.WARNING, "tokentrail: %s", one_line(sentence)):
                self.count("diagnostics.log")

    def is_first(self, *about: object) -> bool:
        """True for the first call with these arguments in this process; False after `MAX_ONCE_KEYS` different arguments."""
        if about in self._once or len(self._once) >= MAX_ONCE_KEYS:
            return False
        self._once.add(about)
        return True

    def count(self, where: str) -> int:
        """Counts an error by the place that caught it. Returns how many errors were counted there."""
        self.internal_errors[where] = count = self.internal_errors.get(where, 0) + 1
        return count

    def internal_error(self, where: str, error: BaseException) -> None:
        """Counts an error that the application does not see, and logs the error at most once a minute.

        The error's message is not logged, because a message may hold a prompt; at DEBUG the traceback is logged.
        """
        count = self.count(where)
        self.complain(f"{type(error).__name__} in {where}; the application is not affected ({count} so far)", about=where)
        if logger.isEnabledFor(logging.DEBUG):
            trace = "".join(traceback.format_tb(error.__traceback__))
            log(logging.DEBUG, "tokentrail: %s in %s at\n%s", type(error).__name__, where, trace)

    def forget(self) -> None:
        """Removes the errors of the parent in a forked child."""
        self.internal_errors.clear()
