"""Writes docs/data-dictionary.md and docs/queries.md: `python scripts/dictionary_page.py` (a test fails when one of them is stale)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.pages import data_dictionary, queries_page

DOCS = Path(__file__).parent.parent / "docs"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        migrate(client, Target("tokentrail"))
        pages = {"data-dictionary.md": data_dictionary(client), "queries.md": queries_page()}
        client.close()
    for name, page in pages.items():
        (DOCS / name).write_text(page, encoding="utf-8")
        print(f"{name}: {page.count(chr(10) + '## ')} sections")
