"""The data dictionary in docs, made from the comments in the database: `python -m tokentrail.clickhouse.dictionary chdb:///some/empty/folder`."""

from __future__ import annotations

import sys
from typing import Final

from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target, query

__all__ = ["data_dictionary"]

TABLES: Final = ("usage", "deliveries", "key_conflicts", "quarantine", "usage_ledger", "usage_landing", "migrations")

_HEAD = """\
# Data dictionary

Read the view `usage`: one row per usage, each counted once. The other tables are what it is made of and how it is proved.
This page is made from the comments in the database (`DESCRIBE TABLE usage` shows them too) by
`python -m tokentrail.clickhouse.dictionary chdb:///some/empty/folder > docs/data-dictionary.md`; a test fails when it is stale.
"""


def data_dictionary(client: Client) -> str:
    """The page, as Markdown."""
    described = client.query(query("columns"), {"tables": TABLES}).dicts()
    page = [_HEAD]
    for table in TABLES:
        columns = [column for column in described if column["table"] == table]
        page.append(f"\n## {table}\n\n{columns[0]['table_comment']}\n\n| column | type | |\n| --- | --- | --- |\n")
        page.extend(f"| `{column['name']}` | `{column['type']}` | {column['comment']} |\n" for column in columns)
    return "".join(page)


if __name__ == "__main__":
    opened = connect(sys.argv[1], create=True)
    migrate(opened, Target("tokentrail"))
    sys.stdout.write(data_dictionary(opened))
