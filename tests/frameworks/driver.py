"""Runs the cases of a framework in the framework's own environment: first without hooks, then with them; prints what was recorded of each.

`python -m tests.frameworks.driver NAME` runs `tests.frameworks.programs.NAME`, whose `cases(server)` yields the name of a case and a function that
returns what the framework's user sees. A name that begins with `retried above` or `retried inside` has its first request refused.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import tokentrail
from tests.support.any_provider import AnyProvider
from tokentrail.process.current import current
from tokentrail.testing import Usages, collect_usages

PATIENCE = 3.0
LOOP = asyncio.new_event_loop()


def wait(action: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    """An async case as a function."""
    return lambda: LOOP.run_until_complete(action())  # type: ignore[arg-type]


def seen(server: AnyProvider, name: str, action: Callable[[], Any]) -> Any:
    server.refuse = int(name.startswith("retried"))
    return action()


def _settle(usages: Usages) -> None:
    """Waits for the row of a stream that was dropped: a thread of the framework may hold the stream a little longer."""
    until = time.monotonic() + PATIENCE
    usages.settle()
    while not usages.recorded and time.monotonic() < until:
        time.sleep(0.05)
        usages.settle()


def run(server: AnyProvider, name: str, action: Callable[[], Any]) -> dict[str, Any]:
    """One case without hooks, then with hooks."""
    plain = seen(server, name, action)
    tokentrail.instrument()
    answered, refused = len(server.answered), server.refused
    with collect_usages() as usages:
        value = seen(server, name, action)
        _settle(usages)
    tokentrail.uninstrument()
    return {
        "same": repr(value) == repr(plain),
        "seen": repr(value)[:200],
        "answered": len(server.answered) - answered,
        "refused": server.refused - refused,
        "rows": [[usage.ended, usage.input_tokens, usage.output_tokens, usage.attempts] for usage in usages.recorded],
    }


def main(name: str) -> None:
    logging.disable(logging.WARNING)
    found = {}
    with AnyProvider() as server:
        module = import_module(f"tests.frameworks.programs.{name}")
        gc.collect()
        gc.freeze()  # so that looking for abandoned streams does not look at every type of the framework
        for case, action in module.cases(server.url):
            try:
                found[case] = run(server, case, action)
            except Exception as error:
                found[case] = {"raised": f"{type(error).__name__}: {error}"[:600]}
        found["internal errors"] = dict(current.runtime.diagnostics.internal_errors)
        found["unknown paths"] = server.unknown
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
