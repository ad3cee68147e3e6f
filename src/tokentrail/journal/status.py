"""A report of a journal's contents: writers, waiting records, records put aside."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.aside import Aside, read_aside
from tokentrail.journal.reader import summarize

__all__ = ["WriterStatus", "journal_status"]


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """One writer's folder. `waiting`: records that no Collector has acknowledged; `age_seconds`: since the last append."""

    writer_id: str
    service_name: str
    pid: int
    state: str  # alive | closed | dead | unknown (no locks, and no closing record) | newer (written by a newer tokentrail, left to that version)
    records: int
    waiting: int
    acknowledged: int  # the highest number that a Collector has acknowledged, refused numbers included; 0 for none
    last_seq: int
    missing: list[tuple[int, int]]
    unreported: list[tuple[int, int]]  # refused numbers that no record in the journal reports
    damaged_bytes: int
    unfinished_bytes: int  # of a record whose append never returned: the process was killed meanwhile
    size_bytes: int
    age_seconds: float


def _alive(folder: Path) -> bool | None:
    """Whether the folder's writer is alive; `None` on a file system without locks, where no process can see it."""
    try:
        return layout.is_alive(folder)
    except layout.NoLocks:
        return None


def _status(folder: Path, alive: bool | None) -> WriterStatus:
    summary = summarize(folder, live=alive is not False)
    if not summary.readable:  # its records are not damaged: this version cannot read them
        summary.missing, summary.unreported, summary.damaged_bytes, summary.unfinished_bytes = [], [], 0, 0
    ended = "closed" if summary.closed else "unknown" if alive is None else "dead"
    resource = summary.header.resource
    seen = [found for found in map(_size_and_time, layout.segments(folder)) if found]
    return WriterStatus(
        writer_id=folder.name,
        service_name=str(resource.get(semconv.SERVICE_NAME, "")),
        pid=int(resource.get(semconv.PROCESS_PID, 0)),
        state="alive" if alive else "newer" if not summary.readable else ended,
        records=summary.records,
        waiting=summary.waiting,
        acknowledged=summary.acknowledged,
        last_seq=summary.last_seq,
        missing=summary.missing,
        unreported=summary.unreported,
        damaged_bytes=summary.damaged_bytes,
        unfinished_bytes=summary.unfinished_bytes,
        size_bytes=sum(size for size, _ in seen),
        age_seconds=max(0.0, time.time() - max((changed for _, changed in seen), default=time.time())),
    )


def _size_and_time(path: Path) -> tuple[int, float] | None:
    try:
        found = path.stat()
    except FileNotFoundError:  # acknowledged and removed meanwhile
        return None
    return found.st_size, found.st_mtime


def journal_status(root: Path) -> dict[str, Any]:
    """Returns all writers and all records put aside, as plain values; `locks` is false on a file system without locks.

    Raises `OSError` for a folder without rights.
    """
    folders = [(folder, _alive(folder)) for folder in layout.writer_folders(root)]
    return {
        "folder": str(root),
        "locks": all(alive is not None for _, alive in folders),
        "size_bytes": layout.size_of(root),
        "writers": [asdict(_status(folder, alive)) for folder, alive in folders],
        "aside": [
            {"file": str(kept.path), "writer_id": kept.header.writer_id, "seq": kept.number, "reason": kept.reason, "damaged": False}
            if isinstance(kept, Aside)
            else {"file": str(kept.path), "writer_id": "", "seq": 0, "reason": f"the file is damaged: {kept.reason}", "damaged": True}
            for kept in read_aside(root)
        ],
    }
