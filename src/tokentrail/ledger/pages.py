"""Generates two pages of the docs: the data dictionary, from the comments in a database, and the list of queries, from their headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import Query, Wanted, answer, names, questions, read

__all__ = ["data_dictionary", "queries_page"]

TABLES: Final = (
    "usage",
    "usage_cost",
    "usage_daily",
    "model_prices",
    "prices",
    "exchange_rates",
    "currency_rates",
    "budgets",
    "deliveries",
    "key_conflicts",
    "quarantine",
    "usage_ledger",
    "usage_jobs",
    "usage_landing",
    "bridge_spans",
    "bridged_again",
    "alerts",
    "alert_checks",
    "findings",
    "migrations",
)

_DICTIONARY: Final = """\
# Data dictionary

Read the view `usage`: one row per usage, each counted once. The other tables hold the data of the view and the proof that nothing is missing.
This page is generated from the comments in the database (`DESCRIBE TABLE usage` shows them too) by `make docs`; a test fails when the page is stale.
The queries on these tables, and their callers, are on the page [queries](queries.md).
"""
_QUERIES: Final = """\
# Queries

Every query of tokentrail on the ledger is a file: the questions that people ask are in `src/tokentrail/ledger/questions`, what commands need is in
`src/tokentrail/ledger/queries`. This page is generated from the files' headers by `make docs`; a test compares the headers with the engine's answers.
`{days:UInt16}` in a file is the parameter `days`: clickhouse-client takes the parameter as `--param_days=7`, the HTTP interface as `&param_days=7`.

## Questions

`tokentrail query` lists them, `tokentrail query NAME -p days=7` asks one, `tokentrail query NAME --describe` prints its SQL. Names, parameters and
columns are to rely on: they change as an API does.
"""

_OTHERS: Final = """
## Queries of the commands

They follow the commands, and change with them.
"""


def data_dictionary(client: Client) -> str:
    """Returns the page of columns, as Markdown."""
    described = answer(client, "columns", {"tables": TABLES}).dicts()
    page = [_DICTIONARY]
    for table in TABLES:
        columns = [column for column in described if column["table"] == table]
        page.append(f"\n## {table}\n\n{columns[0]['table_comment']}\n\n")
        page += _table(("column", "type", ""), [(f"`{column['name']}`", f"`{column['type']}`", column["comment"]) for column in columns])
    return "".join(page)


def queries_page() -> str:
    """Returns the page of queries, as Markdown."""
    asked = questions()
    others = [name for name in names() if name not in asked]
    sections = (_section(read(name)) for name in (*asked, *others))
    written = ["".join(section) for section in sections]
    return "".join([_QUERIES, *written[: len(asked)], _OTHERS, *written[len(asked) :]])


def _section(query: Query) -> Iterable[str]:
    yield f"\n### {query.name}\n\n{query.title}. Asked by: {query.asked_by}. Unit: {query.unit}.\n"
    if query.notes:
        yield f"{query.notes}\n"
    wanted = [
        (
            f"`{each.name}`",
            f"`{each.type}`",
            "has to be given" if each.default is None else f"`{each.default}`" if each.default else "empty",
            _meaning(each),
        )
        for each in query.parameters
    ]
    if wanted:
        yield "\n"
        yield from _table(("parameter", "type", "default", ""), wanted)
    for kind, described in (("filled in", query.slots), ("column", query.columns)):
        if described:
            yield "\n"
            yield from _table((kind, ""), [(f"`{each.name}`", each.text) for each in described])


def _meaning(wanted: Wanted) -> str:
    return f"{wanted.text}: one of {', '.join(f'`{choice}`' for choice in wanted.choices)}" if wanted.choices else wanted.text


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |\n".replace("|  |", "| |")
    yield f"|{' --- |' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n"
