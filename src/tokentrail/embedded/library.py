"""chDB, loaded so that nothing around the process decides what it does.

Seen of chDB 4.4.0: without a configuration file on a session's path it obeys `config.xml` in the working directory and in `~/.clickhouse-local`,
whatever put that there; and while it is imported it connects once, without any path, so that a broken file ends the import. So it is imported with an
empty folder as working directory and home (the import changes the working directory by itself too), and every session names the package's own empty
file.
The time zone is fixed when the library is loaded, from TZ. Days in partitions and reports must not depend on the laptop: it is loaded under UTC.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["opener"]

CONFIGURATION: Final = Path(__file__).with_name("nothing.xml").absolute()


@cache
def opener() -> Callable[[Path], Any]:
    """What opens a session on a folder; loads 550 MB of library at first. Raises ImportError where chDB is not installed."""
    with _nothing_around():
        from chdb.session import Session  # noqa: PLC0415 - loaded only where it is used

    session: Any = Session  # chDB states no types

    def opened(folder: Path) -> Any:
        return session(f"{folder}?config-file={CONFIGURATION}")

    return opened


@contextmanager
def _nothing_around() -> Iterator[None]:
    """UTC, and an empty folder as working directory and home. Other threads see that too, for the seconds that it takes."""
    try:
        os.getcwd()  # noqa: PTH109 - only asked whether it is there
    except FileNotFoundError:  # chDB could not open a folder from there either
        raise FileNotFoundError("the working directory is not there any more: change to another one") from None
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    try:
        with tempfile.TemporaryDirectory(prefix="tokentrail-") as empty:
            before = {name: os.environ.get(name) for name in ("TZ", "HOME")}
            os.environ.update(TZ="UTC", HOME=empty)
            os.chdir(empty)
            try:
                yield
            finally:
                os.fchdir(here)
                for name, value in before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value
    finally:
        os.close(here)
