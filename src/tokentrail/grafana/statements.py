"""The statement of a panel: its question, with the columns that are shown, in the question's order."""

from __future__ import annotations

import re
from typing import Final

from tokentrail.grafana.expressions import OTHERS, column_code, column_label, question_sql
from tokentrail.grafana.panel import Kind, Panel
from tokentrail.ledger.query import Query, QueryError, read

__all__ = ["LINKED", "code_column", "linked", "shown", "statement"]

LINKED: Final = {
    "provider": "provider",
    "model": "model",
    "tenant_id": "tenant",
    "service_name": "service",
    "environment": "environment",
    "operation_name": "operation",
}
"""The columns whose values lead to a dashboard, and the variables that get the value."""
_ORDER: Final = re.compile(r"\nORDER BY ([^\n]+?)(?:\nLIMIT [^\n]+)?\s*$")
_NAMES: Final = {Kind.BARS: 15, Kind.TABLE: 1000, Kind.STACK: 12}


def statement(panel: Panel) -> str:
    """Returns the SQL of a panel's target. Raises `QueryError` for a column that the question does not have."""
    query = read(panel.question)
    sql = question_sql(query, panel.parameters)
    columns = shown(panel, query)
    if panel.kind is Kind.TRACE:
        return sql
    if panel.kind is Kind.STACK:
        return _stack(sql, columns, most(panel))
    if panel.kind is Kind.LINES:
        order = [column for column in columns if column in ("time", "name", "currency")]
        priced = "\nWHERE notEmpty(answer.currency)" if "currency" in columns else ""
        return f"SELECT {', '.join(map(_shown_name, columns))} FROM (\n{sql}\n) AS answer{priced}\nORDER BY {', '.join(order)}"
    codes = [f"{column_code(column)} AS {code_column(column)}" for column in columns if linked(panel, column)]
    limit = f"\nLIMIT {most(panel)}" if panel.kind in _NAMES else ""
    shown_columns = [_shown_name(column) if panel.kind is Kind.BARS else column for column in columns]
    return f"SELECT {', '.join([*shown_columns, *codes])} FROM (\n{sql}\n) AS answer\nORDER BY {_order(query)}{limit}"


def shown(panel: Panel, query: Query) -> tuple[str, ...]:
    """Returns the columns that a panel shows."""
    known = [column.name for column in query.columns]
    for column in panel.columns:
        if column not in known:
            raise QueryError(f"panel {panel.title}: the question {query.name} has no column {column}")
    return panel.columns or tuple(known)


def most(panel: Panel) -> int:
    """Returns how many rows, or names of a stack, a panel shows."""
    return panel.most or _NAMES[panel.kind]


def linked(panel: Panel, column: str) -> str:
    """Returns the variable that gets a column's values by a link; empty without a link."""
    if panel.kind is not Kind.TABLE:
        return ""
    return LINKED.get(str(panel.parameters.get("by", "")) if column == "name" else column, "")


def code_column(column: str) -> str:
    """Returns the name of the hidden column with the codes of a column's values."""
    return f"{column}_code"


def _shown_name(column: str) -> str:
    return f"{column_label('answer.name')} AS name" if column == "name" else column


def _order(query: Query) -> str:
    found = _ORDER.search(query.sql)
    if found is None:
        raise QueryError(f"question {query.name} does not end with ORDER BY")
    return found[1].replace("u.", "")


def _stack(sql: str, columns: tuple[str, ...], names: int) -> str:
    """Returns the sums by time and name; the names beyond the largest are one more name."""
    (value,) = (column for column in columns if column not in ("time", "name"))
    return f"""SELECT
    ranked.time AS time,
    if(ranked.place > {names}, '{OTHERS}', {column_label("ranked.name")}) AS name,
    sum(ranked.{value}) AS {value}
FROM
(
    SELECT *, dense_rank() OVER (ORDER BY total DESC, name) AS place
    FROM (SELECT *, sum({value}) OVER (PARTITION BY name) AS total FROM (
{sql}
))
) AS ranked
GROUP BY time, name
ORDER BY time, name"""
