"""Forks; and the program that forks before its first call, for transports that no process may use before it forks.

    python -m tokentrail.testing.conformance.forking MODULE CLASS URL NUMBER child|parent

One of the two makes the class's case of this number, at the address of a server in another process. The exit code is 0 if that call is one row.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from types import SimpleNamespace
from typing import Any

__all__ = ["code_of_child"]


def code_of_child(holds: Callable[[], bool], seconds: int = 30) -> int:
    """Forks; returns the child's exit code: 0 if the promise holds there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            code = 0 if holds() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _main(module: str, name: str, url: str, number: str, who: str) -> int:
    loaded: Any = import_module(module)
    kit = reduce(getattr, name.split("."), loaded)()
    stage, case = SimpleNamespace(url=url, asked=[], may_come=lambda _waited: False), kit.some_cases()[int(number)]
    with kit.hooked(stage, case) as usages:

        def counts_one() -> bool:
            seen = kit.look(stage, case, copies=False)
            if seen.error is not None or len(usages.recorded) != 1:
                sys.stderr.write(f"error: {seen.error}, rows: {len(usages.recorded)}\n")
                sys.stderr.flush()
                return False
            return True

        if who == "child":
            return code_of_child(counts_one) or len(usages.recorded)
        return code_of_child(lambda: True) or int(not counts_one())


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
