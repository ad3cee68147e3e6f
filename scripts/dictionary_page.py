"""Writes docs/data-dictionary.md and docs/queries.md: `python scripts/dictionary_page.py` (a test fails when one of them is stale)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.pages import data_dictionary, queries_page

DOCS = Path(__file__).parent.parent / "docs"


def pages() -> dict[Path, str]:
    """Both pages; the dictionary is read from a new database of the embedded engine, of which a process can open one."""
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        migrate(client, Target("tokentrail"))
        written = {DOCS / "data-dictionary.md": data_dictionary(client), DOCS / "queries.md": queries_page()}
        client.close()
    return written


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
        print(f"{path.name}: {page.count(chr(10) + '## ')} sections")
