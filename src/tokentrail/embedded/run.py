"""`tokentrail serve`'s life: start, tell where it listens, wait for a signal, stop in order.

Signals are taken over before the engine is started, so that one that comes while it opens is not lost: what is open by then is closed in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.server import Addresses, Server

__all__ = ["default_data", "serve"]


def default_data() -> Path:
    """The user's data folder: `$XDG_DATA_HOME/tokentrail/clickhouse`, or `~/.local/share/tokentrail/clickhouse`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path("~", ".local", "share")) / "tokentrail" / "clickhouse"


def serve(server: Server, *, ready_file: Path | None, until_stdin_ends: bool, announce: Callable[[Addresses], None]) -> None:
    """Serve until SIGTERM, SIGINT, SIGHUP or (`until_stdin_ends`) the end of standard input. Raises CannotStart with one sentence."""
    stop = threading.Event()
    with _signals(stop):
        if until_stdin_ends:
            threading.Thread(target=_wait_for_end_of_stdin, args=(stop,), name="tokentrail-stdin", daemon=True).start()
        with server, _ready_file(ready_file, server.addresses):
            announce(server.addresses)
            stop.wait()


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    wanted = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()


@contextlib.contextmanager
def _ready_file(path: Path | None, addresses: Addresses) -> Iterator[None]:
    """A file that is there, and whole, exactly while the server answers."""
    if path is None:
        yield
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(addresses.as_dict()))
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise CannotStart(f"the ready file {path} cannot be written ({error.strerror}): choose another place with --ready-file") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # its folder may be gone
            path.unlink(missing_ok=True)
