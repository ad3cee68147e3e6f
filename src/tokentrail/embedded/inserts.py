"""INSERTs with data: the data into a file, then one statement that reads them from there. Its success is the acknowledgement.

Why not chDB's `send_insert`, which takes the data in pieces: its `finish()` reports success whatever became of the rows (seen of chDB 4.4.0). A
constraint, a full disk, too many partitions, a view that throws: no error, and the rows are nowhere, or in the table but not in what the view feeds.
A statement that is run by `query` raises in all these cases. The data are not part of its text: they may be binary, and larger than memory.

As in ClickHouse itself an INSERT is stored in blocks of about a million rows or 256 MiB, each whole or not at all, and a view's target after its
source. So where an error is answered, some of the rows may be stored: a sender repeats all of them, and the ledger counts them once. `async_insert`
has no effect: an answer always means that the rows are in their tables.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tokentrail.embedded.engine import Engine, quoted
from tokentrail.embedded.errors import NO_DATA, EngineError
from tokentrail.embedded.statement import settings_at

__all__ = ["Stored", "insert"]

READING: Final = {"storage_file_read_method": "pread"}
"""chDB maps files into memory where it may: 1.3 GB of data then took 1.9 GB of memory, and 0.9 GB, of blocks on their way, if they are read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What an INSERT stored: rows and their bytes as the engine counts them (those of views not included), and the seconds that it took."""

    rows: int
    size: int
    seconds: float


def insert(engine: Engine, database: str, settings: Mapping[str, str], head: str, written: str, data: Iterable[bytes]) -> Stored:
    """Store `data`, in the format `written`, by the INSERT that begins with `head` (all up to FORMAT or VALUES).

    Raises EngineError with the engine's code: nothing of it may be acknowledged then. So do data without a single byte: a sender that lost its body
    in a retry would be told that all is stored.
    """
    engine.require_ready()
    with engine.spool.file(data) as spooled:
        if not spooled.size:
            raise EngineError(NO_DATA, "The INSERT came without data: nothing was stored. (NO_DATA_TO_INSERT)")
        raw = head.encode()
        at = settings_at(raw)
        source = f"FROM INFILE {quoted(str(spooled.path))} COMPRESSION 'none'"
        statement = f"{raw[:at].decode()}\n{source} {raw[at:].decode()}\nFORMAT {written}"
        with engine.session(database, {**READING, **settings}) as session:
            started = time.monotonic()
            done = session.query(statement, "Null")
            return Stored(int(done.rows_read()), int(done.bytes_read()), time.monotonic() - started)
