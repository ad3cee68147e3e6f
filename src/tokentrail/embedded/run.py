"""Runs `tokentrail serve`: starts the server, reports its addresses, waits for a signal, stops the server in order.

Signal handlers are set before the engine starts, so that a signal during the start is not lost: the parts that are open by then are closed in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.rollups import refreshing
from tokentrail.embedded.server import Addresses, Server
from tokentrail.private_files import open_file
from tokentrail.process.signals import Stop

__all__ = ["default_data", "serve"]


def default_data() -> Path:
    """Returns the user's data folder: `$XDG_DATA_HOME/tokentrail/clickhouse`, or `~/.local/share/tokentrail/clickhouse`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path("~", ".local", "share")) / "tokentrail" / "clickhouse"


def serve(server: Server, *, ready_file: Path | None, until_stdin_ends: bool, announce: Callable[[Addresses], None], rollup_s: float) -> None:
    """Serves until SIGTERM, SIGINT, SIGHUP or (`until_stdin_ends`) the end of standard input. Raises CannotStart with one sentence.

    Every `rollup_s` seconds the sums by day are refreshed; never for 0.
    """
    with Stop() as stop, stop.on_signals():
        if until_stdin_ends:
            threading.Thread(target=_wait_for_end_of_stdin, args=(stop,), name="tokentrail-stdin", daemon=True).start()
        with server, ready_file_of(ready_file, server.addresses):
            announce(server.addresses)
            with refreshing(server.own_dsn, rollup_s):
                stop.wait()


def _wait_for_end_of_stdin(stop: Stop) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.ask()


@contextlib.contextmanager
def ready_file_of(path: Path | None, addresses: Addresses) -> Iterator[None]:
    """Keeps the ready file: the file exists, complete, exactly while the server answers."""
    if path is None:
        yield
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a killed process with the same id
        with os.fdopen(open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
            file.write(json.dumps(addresses.as_dict()))
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise CannotStart(f"the ready file {path} cannot be written ({error.strerror}): choose another place with --ready-file") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            path.unlink(missing_ok=True)
