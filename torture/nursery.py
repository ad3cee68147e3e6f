"""A warm parent of applications: `python -m torture.nursery` has imported the SDK and forks an application for each line of its standard input.

A line is JSON: `{"name": …, "output": file, "environment": {…}, "call": "module:function", "arguments": {…}, "control": file, "folder": journal}`;
the process id is printed. The parent itself records nothing, so an application that it forks is as freshly started, without two seconds of imports.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

import torture.calls
from torture.shim import use

__all__ = ["main"]


def main() -> None:
    """Forks applications until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the applications
    torture.calls.client.cache_clear()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(order)
        os.write(1, f"{order['name']} {pid}\n".encode())


def end_with_parent() -> None:
    """Lets the kernel kill this process when the nursery ends (prctl, PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(order: dict[str, Any]) -> None:
    """Is an application from here on; ends as the program of a fresh process does, exit handlers included."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    end_with_parent()
    os.environ.update(order.get("environment", {}))
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(output, standard)
    if order.get("control"):
        use(order["control"], order["folder"])
    module, function = order["call"].split(":")
    code = 0
    try:
        getattr(importlib.import_module(module), function)(**order.get("arguments", {}))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
