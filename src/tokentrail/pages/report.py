"""`tokentrail report --html`: asks the questions of the report, verifies the ledger, and writes the page."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import verify
from tokentrail.pages.documents import report
from tokentrail.pages.facts import Wanted, collect
from tokentrail.pages.selection import Selection
from tokentrail.whole_files import replaced

__all__ = ["write_report"]


def write_report(client: Client, path: Path, selection: Selection) -> int:
    """Writes the report on `selection` to `path`; an existing file is replaced whole. Returns the bytes. Raises OSError, ClickHouseError."""
    with replaced(path) as written:
        facts = collect(client, selection, datetime.now(timezone.utc), Wanted.REPORT)
        page = report(facts, verify(client, all_writers=False)).encode("utf-8", "replace")
        written.write(page)
    return len(page)
