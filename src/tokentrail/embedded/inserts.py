"""INSERTs with data: the data are written to a file, then one statement reads the file. Its success is the acknowledgement.

Why not chDB's `send_insert`, which takes the data in pieces: its `finish()` reports success even if rows were not stored (seen in chDB 4.4.0). After
a violated constraint, a full disk, too many partitions or a view that throws there is no error, and the rows are stored nowhere, or in the table but
not in the view's target. A statement run by `query` raises in all these cases. The data are not part of the statement's text, since they may be
binary, and larger than memory.

As in ClickHouse itself an INSERT is stored in blocks of about a million rows or 256 MiB, each whole or not at all, and a view's target after its
source. So after an error some of the rows may be stored: a sender repeats all rows, and the ledger counts each once. `async_insert` has no effect:
a success always means that the rows are in their tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokentrail.embedded.engine import Engine, quoted
from tokentrail.embedded.errors import NO_DATA, EngineError
from tokentrail.embedded.statement import settings_at

__all__ = ["Stored", "insert", "store"]

READING: Final = {"storage_file_read_method": "pread"}
"""By default chDB maps files into memory: 1.3 GB of data then took 1.9 GB of memory. With `pread` the data took 0.9 GB, for blocks in progress."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of an INSERT: rows and bytes as counted by the engine (without those of views), and the duration in seconds."""

    rows: int
    size: int
    seconds: float


def insert(engine: Engine, database: str, settings: Mapping[str, str], head: str, written: str, data: Iterable[bytes]) -> Stored:
    """Stores `data`, in the format `written`, by the INSERT that begins with `head` (the text before FORMAT or VALUES).

    Raises EngineError with the engine's code: no row may be acknowledged then. Data without a single byte raise EngineError too: else a sender that
    lost the body in a retry gets a success.
    """
    raw = head.encode()
    at = settings_at(raw)

    def statement(path: Path) -> str:
        return f"{raw[:at].decode()}\nFROM INFILE {quoted(str(path))} COMPRESSION 'none' {raw[at:].decode()}\nFORMAT {written}"

    return store(engine, database, settings, statement, data)


def store(engine: Engine, database: str, settings: Mapping[str, str], statement: Callable[[Path], str], data: Iterable[bytes]) -> Stored:
    """Writes `data` to a file and runs the INSERT that `statement` returns for the file's path. Raises EngineError as `insert` does."""
    engine.require_ready()
    with engine.spool.file(data) as spooled:
        if not spooled.size:
            raise EngineError(NO_DATA, "The INSERT came without data: nothing was stored. (NO_DATA_TO_INSERT)")
        with engine.session(database, {**READING, **settings}) as session:
            started = time.monotonic()
            with engine.writes.checked():
                done = session.query(statement(spooled.path), "Null")
            return Stored(int(done.rows_read()), int(done.bytes_read()), time.monotonic() - started)
