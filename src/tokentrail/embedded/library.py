"""Imports chDB so that no file or variable outside the package configures the engine.

Seen in chDB 4.4.0: a session without a configuration file in its path reads any `config.xml` in the working directory and in `~/.clickhouse-local`.
The import of chDB connects once, without any path, so that a broken file ends the import. So chDB is imported with an empty folder as working
directory and home (the import itself changes the working directory too), and every session names the package's own empty file.
The import of chDB takes the time zone from TZ. Days in partitions and reports must not depend on the laptop: chDB is imported under UTC.
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

CONFIGURATION: Final = Path(__file__).with_name("engine.xml").absolute()


@cache
def opener() -> Callable[[Path], Any]:
    """Returns a function that opens a session on a folder. The first call loads 550 MB of library. Raises ImportError if chDB is not installed."""
    with _isolated():
        from chdb.session import Session  # noqa: PLC0415 - imported only where chDB is used

    session: Any = Session  # chDB has no type annotations

    def opened(folder: Path) -> Any:
        return session(f"{folder}?config-file={CONFIGURATION}")

    return opened


@contextmanager
def _isolated() -> Iterator[None]:
    """Sets UTC, and an empty folder as working directory and home, for the duration of the import (seconds). Other threads see the change too."""
    try:
        os.getcwd()  # noqa: PTH109 - only checks that the folder exists
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
