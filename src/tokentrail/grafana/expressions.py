"""A question's SQL as Grafana sends it: macros for the time range, expressions over Grafana's variables for the other parameters.

None of Grafana's quoting formats is safe for ClickHouse: `sqlstring` and `singlequote` leave a backslash as it is, which escapes the closing quote.
So a variable stands in SQL with the format `percentencode` alone: letters, digits, `-_.~` and `%XX`, whatever a value has, even one written into an
address by hand; ClickHouse decodes the text. That format joins several values by commas, so the values of a list are codes without commas (`coded`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail.ledger.query import Query, QueryError

__all__ = ["ALL", "NONE", "OTHERS", "DaysBack", "Given", "Variable", "coded", "column_code", "column_label", "label", "question_sql", "sql_text"]

ALL: Final = "*"
"""What the variables of lists have for All; the code of a name never is this text."""
NONE: Final = "(none)"
"""How the empty name is shown."""
OTHERS: Final = "(others)"
"""The name of the sum of all that is not among the largest names of a stack."""
_NOTHING: Final = "~"
"""The code of the empty name: Grafana takes an empty value for none."""
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_PARAMETER: Final = re.compile(r"\{(\w+):[^{}]+\}")
_FROM: Final = "toDateTime64($__fromTime_ms, 9, 'UTC')"
_TO: Final = "toDateTime64($__toTime_ms, 9, 'UTC')"
_LISTS: Final = {
    "tenants": "tenant",
    "operations": "operation",
    "providers": "provider",
    "models": "model",
    "services": "service",
    "environments": "environment",
}
"""The parameters that hold lists, and their variables."""
_STEPS: Final = ((360, "minute"), (12_000, "hour"), (180_000, "day"))
"""What `auto` is for a range of at most so many minutes: some hundred points a line."""


class Variable(str):
    """The name of a variable of Grafana, as a parameter's value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DaysBack:
    """A moment so many days before the end of the dashboard's time range, or before now where the range ends later."""

    days: int


Given = str | int | DaysBack | Variable | Sequence[str]


def question_sql(query: Query, given: Mapping[str, Given]) -> str:
    """Returns the question's statement for Grafana. `given` are parameters with values of their own: texts, numbers, lists, variables.

    The time range, the lists and the time zone come from the dashboard unless given; other parameters have their default. Raises `QueryError` for a
    parameter that the question does not have or that nothing gives, and for a value that is not one of its choices.
    """
    query.given(
        {name: _stand_in(query, name) if isinstance(value, Variable) else value for name, value in given.items() if not isinstance(value, DaysBack)}
    )

    def expression(match: re.Match[str]) -> str:
        name = match[1]
        if name in given:
            return _literal(name, given[name])
        if name in _LISTS:
            return _selected(_LISTS[name])
        if name == "timezone":
            return _zone()
        return _FROM if name == "from" else _TO if name in ("to", "at") else _literal(name, _default(query, name))

    return _PARAMETER.sub(expression, query.filled())


def sql_text(text: str) -> str:
    """Quotes a text of this package's own for ClickHouse. Raises `QueryError` for a text with a dollar sign, which Grafana would expand."""
    if "$" in text:
        raise QueryError(f"{text!r} has a $, which Grafana would expand")
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def coded(name: str) -> str:
    """Returns the code of a name among a variable's values, as `column_code` does in SQL."""
    if name == "":
        return _NOTHING
    if name == "All":
        return "~41ll"
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"~{byte:02X}" for byte in name.encode("utf-8", "surrogateescape"))


def column_code(column: str) -> str:
    """Returns the SQL of a column's values as codes: letters, digits and `-_.` as they are, all else as ~XX, in which no address changes anything.

    The empty name is `~`; a name "All" is written differently, since Grafana takes it for its own.
    """
    encoded = f"replaceAll(replaceAll(encodeURLComponent(toString({column})), '~', '~7E'), '%', '~')"
    return f"multiIf({column} = '', '~', {column} = 'All', '~41ll', {encoded})"


def label(name: str) -> str:
    """Returns how a name is shown in plots and lists, as `column_label` does in SQL; no name is shown as another one, or as the sum of the others."""
    return NONE if name == "" else f'"{name}"' if name.strip('"') in (NONE, OTHERS) else name


def column_label(column: str) -> str:
    """Returns the SQL of a column's names as they are shown."""
    return f"multiIf({column} = '', '{NONE}', trim(BOTH '\"' FROM {column}) IN ('{NONE}', '{OTHERS}'), concat('\"', {column}, '\"'), {column})"


def _selected(variable: str) -> str:
    """Returns the SQL of the names that a variable has; empty for All. A subquery is computed once, and not for every row."""
    sent = f"decodeURLComponent('${{{variable}:percentencode}}')"
    codes = f"arrayFilter(code -> code NOT IN ('', '{ALL}'), splitByChar(',', replaceRegexpOne({sent}, '(?s)^[{{](.*)[}}]\\\\z', '\\\\1')))"
    return f"(SELECT arrayMap(code -> if(code = '{_NOTHING}', '', decodeURLComponent(replaceAll(code, '~', '%'))), {codes}))"


def _zone() -> str:
    """Returns the SQL of the dashboard's time zone. A zone has to be a constant for ClickHouse, and decodeURLComponent is none."""
    zone = "replaceAll(replaceAll('${__timezone:percentencode}', '%2F', '/'), '%2B', '+')"
    return f"if({zone} IN ('', 'utc', 'browser'), 'UTC', {zone})"


def _step(variable: str) -> str:
    """Returns the SQL of the length of a step: the variable's, or by the time range."""
    minutes = f"dateDiff('minute', {_FROM}, {_TO})"
    automatic = ", ".join(f"{minutes} <= {most}, '{step}'" for most, step in _STEPS)
    return f"if('${{{variable}:percentencode}}' = 'auto', multiIf({automatic}, 'month'), '${{{variable}:percentencode}}')"


def _literal(name: str, value: Given) -> str:
    if isinstance(value, Variable):
        return _step(value) if name == "step" else f"(SELECT decodeURLComponent('${{{value}:percentencode}}'))"
    if isinstance(value, DaysBack):
        return f"(least({_TO}, now64(9, 'UTC')) - toIntervalDay({value.days}))"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return sql_text(value)
    return f"CAST([{', '.join(map(sql_text, value))}], 'Array(String)')"


def _default(query: Query, name: str) -> Given:
    value = query.given(dict.fromkeys([each.name for each in query.parameters if each.default is None], ""))[name]
    return "" if value is None else value


def _stand_in(query: Query, name: str) -> str:
    choices = next((each.choices for each in query.parameters if each.name == name), ())
    return choices[0] if choices else ""
