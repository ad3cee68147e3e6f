"""What lies in a journal, for people: writers, what waits, what was put aside."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.aside import read_aside
from tokentrail.journal.reader import summarize

__all__ = ["WriterStatus", "journal_status"]


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """One writer's folder. `waiting`: records that no Collector has acknowledged; `age_seconds`: since the last append."""

    writer_id: str
    service_name: str
    pid: int
    state: str  # alive | closed | dead
    records: int
    waiting: int
    last_seq: int
    missing: list[tuple[int, int]]
    damaged_bytes: int
    size_bytes: int
    age_seconds: float


def _status(folder: Path) -> WriterStatus:
    summary = summarize(folder)
    files = layout.segments(folder)
    resource = summary.header.resource if summary.header else {}
    newest = max((path.stat().st_mtime for path in files), default=time.time())
    return WriterStatus(
        writer_id=folder.name,
        service_name=str(resource.get(semconv.SERVICE_NAME, "")),
        pid=int(resource.get(semconv.PROCESS_PID, 0)),
        state="alive" if layout.is_alive(folder) else "closed" if summary.closed else "dead",
        records=summary.records,
        waiting=summary.waiting,
        last_seq=summary.last_seq,
        missing=summary.missing or [],
        damaged_bytes=summary.damaged_bytes,
        size_bytes=sum(path.stat().st_size for path in files),
        age_seconds=max(0.0, time.time() - newest),
    )


def journal_status(root: Path) -> dict[str, Any]:
    """All writers and all records put aside, as plain values."""
    return {
        "folder": str(root),
        "size_bytes": layout.size_of(root),
        "writers": [asdict(_status(folder)) for folder in layout.writer_folders(root)],
        "aside": [
            {"file": str(kept.path), "writer_id": kept.header.writer_id, "seq": kept.number, "reason": kept.reason} for kept in read_aside(root)
        ],
    }
