"""Code run in a forked child, as a test's own end: the child never comes back as a second pytest, and never hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

__all__ = ["exit_code_of_child"]


def exit_code_of_child(promise: Callable[[], bool], seconds: int = 30) -> int:
    """Fork, and answer the child's exit code: 0 if `promise` holds there, 1 if not or if it raises, -14 if it hangs longer than `seconds`."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout's handler would go on with the tests
            signal.alarm(seconds)
            code = 0 if promise() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
