"""Writes docs/data-dictionary.md from the comments in the database: `python scripts/dictionary_page.py` (a test fails when the page is stale)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.dictionary import data_dictionary
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target

PAGE = Path(__file__).parent.parent / "docs" / "data-dictionary.md"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        migrate(client, Target("tokentrail"))
        page = data_dictionary(client)
        client.close()
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE.name}: {page.count(chr(10) + '## ')} tables and views")
