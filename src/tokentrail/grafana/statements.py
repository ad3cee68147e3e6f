"""The statement of a panel: its question, with the columns that are shown, in the question's order."""

from __future__ import annotations

import re
from typing import Final

from tokentrail.grafana.expressions import OTHERS, column_code, column_label, question_sql, sql_text
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
_NAMES: Final = {Kind.BARS: 15, Kind.TABLE: 1000, Kind.STACK: 12, Kind.LINES: 12}
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LABELS: Final = ("name", "currency")
"""The columns by which the lines of a plot differ."""
_NOT_SUMMED: Final = ("_share", "_ms", "_seconds", "_per_second")
"""How the names of columns end of which nothing is known where no call was made; all others are 0 there."""


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
        return _lines(panel, query, sql, columns)
    if panel.kind is Kind.WEEK:
        return _week(sql, columns)
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


def _lines(panel: Panel, query: Query, sql: str, columns: tuple[str, ...]) -> str:
    labels = [column for column in columns if column in _LABELS]
    values = [column for column in columns if column not in ("time", *_LABELS)]
    order = ", ".join(["time", *labels])
    if not any(wanted.name == "step" for wanted in query.parameters):
        return f"SELECT {', '.join(map(_shown_name, columns))} FROM (\n{sql}\n) AS answer\nORDER BY {order}"
    answer = _largest(sql, most(panel)) if "currency" in columns else f"SELECT *, {column_label('name')} AS label FROM (\n{sql}\n)"
    return _whole(answer, labels, values, _steps(panel)) + f"\nORDER BY {order}"


def _largest(sql: str, names: int) -> str:
    """Returns the SQL of costs with a label for each name; the names that in no currency are among the largest have one label."""
    return f"""SELECT time, label, currency, sum(cost) AS cost
    FROM
    (
        SELECT *, if(min(place) OVER (PARTITION BY name) > {names}, '{OTHERS}', {column_label("name")}) AS label
        FROM
        (
            SELECT *, if(currency = '', {names + 1}, dense_rank() OVER (PARTITION BY currency ORDER BY total DESC, name)) AS place
            FROM (SELECT *, sum(cost) OVER (PARTITION BY name, currency) AS total FROM (
{sql}
))
        )
    )
    GROUP BY time, label, currency"""


def _whole(answer: str, labels: list[str], values: list[str], steps: str) -> str:
    """Returns the SQL of lines that have a point at every step: where no call was made sums are 0, and nothing is known of the rest.

    A call without a price is one whose cost nobody knows, so a step with such calls and no price is a gap in each currency of its name, and not 0.
    """
    line, currency = "label" if "name" in labels else "''", "currency" if "currency" in labels else "'-'"
    unknown = ", ".join("NULL" for _ in values)
    points = ",\n        ".join(
        f"multiIf(known = 2, anyIf(point.{place}, point.3 = 2), known = 0, 0, NULL) AS {value}"
        if not value.endswith(_NOT_SUMMED)
        else f"anyIf(point.{place}, point.3 = 2) AS {value}"
        for place, value in enumerate(values, 4)
    )
    return f"""SELECT {", ".join(["time", *labels, *values])}
FROM
(
    SELECT
        line AS name,
        point.1 AS time,
        point.2 AS currency,
        max(point.3) AS known,
        {points}
    FROM
    (
        SELECT
            {line} AS line,
            arraySort(groupArray((time, {currency}, 2, {", ".join(f"toNullable({value})" for value in values)}))) AS said,
            arrayFilter(each -> each != '', arraySort(groupUniqArray({currency}))) AS currencies,
            arrayFilter(each -> each.2 != '', said) AS priced,
            arrayFilter(each -> each.2 = '', said) AS without_price,
            arrayFlatten(arrayMap(each -> arrayMap(point -> (point.1, each, 1, {unknown}), without_price), currencies)) AS unpriced,
            arrayFlatten(arrayMap(each -> arrayMap(step -> (step, each, 0, {unknown}), {steps}), currencies)) AS steps
        FROM
        (
    {answer}
        )
        GROUP BY line
    )
    ARRAY JOIN arrayConcat(priced, unpriced, steps) AS point
    GROUP BY line, time, currency
)"""


def _steps(panel: Panel) -> str:
    """Returns the SQL of the beginnings of all steps of the time range. A subquery is computed once, and not for every line."""
    given = {name: value for name, value in panel.parameters.items() if name in ("step", "timezone")}
    return f"(\n{question_sql(read('steps'), given)}\n)"


def _week(sql: str, columns: tuple[str, ...]) -> str:
    """Returns the SQL of a row for each weekday that has calls, with a column for each hour."""
    (value,) = columns
    days = ", ".join(map(sql_text, _DAYS))
    hours = ",\n    ".join(f"anyIf(toNullable(answer.{value}), answer.hour = {hour}) AS `{hour:02d}`" for hour in range(24))
    return f"""SELECT
    [{days}][any(answer.weekday)] AS day,
    {hours}
FROM (
{sql}
) AS answer
GROUP BY answer.weekday
ORDER BY answer.weekday"""


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
