"""The variables above every dashboard: lists of what the ledger has in the time range, and the length of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.grafana.expressions import ALL, column_code, column_label, question_sql
from tokentrail.ledger.query import read

__all__ = ["DATASOURCE", "LISTS", "List", "choice", "kept", "step", "text", "variables"]

DATASOURCE: Final = {"type": "grafana-clickhouse-datasource", "uid": "tokentrail"}
"""The data source of grafana-datasource.yaml."""
_STEPS: Final = ("auto", "minute", "hour", "day", "week", "month")


@dataclass(frozen=True, slots=True)
class List:
    """A variable whose values are names of one dimension; each list has only what fits the lists before it."""

    name: str
    column: str
    parameter: str
    narrowed_by: tuple[str, ...] = ()


LISTS: Final = (
    List("environment", "environment", "environments"),
    List("service", "service_name", "services", ("environments",)),
    List("provider", "provider", "providers", ("environments", "services")),
    List("model", "model", "models", ("environments", "services", "providers")),
    List("tenant", "tenant_id", "tenants", ("environments", "services")),
    List("operation", "operation_name", "operations", ("environments", "services")),
)


def variables() -> list[dict[str, Any]]:
    """Returns the variables of every dashboard as Grafana's JSON."""
    return [*(_query(each) for each in LISTS), step()]


def kept(without: str = "") -> str:
    """Returns the part of a link that keeps the time range, the step, and the values of the lists but one."""
    names = [*(each.name for each in LISTS if each.name != without), "step"]
    return "&".join(["${__url_time_range}", *(f"${{{name}:queryparam}}" for name in names)])


def _query(each: List) -> dict[str, Any]:
    query = read("names")
    others = {other.parameter: () for other in LISTS if other.parameter not in each.narrowed_by}
    names = question_sql(query, {"by": each.column, **others})
    # columns: the value, and what is shown for it
    sql = f"SELECT {column_code('name')} AS value, {column_label('name')} AS text FROM (\n{names}\n) ORDER BY name"
    return {
        "name": each.name,
        "label": each.name,
        "type": "query",
        "description": f"{query.title}: {each.column}. All is every one, also those that the list does not have.",
        "datasource": DATASOURCE,
        "query": {"refId": f"variable-{each.name}", "editorType": "sql", "queryType": "sql", "rawSql": sql},
        "definition": f"{each.column} of the ledger",
        "refresh": 2,
        "sort": 0,
        "regex": "",
        "multi": True,
        "includeAll": True,
        "allValue": ALL,
        "allowCustomValue": False,
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    }


def step() -> dict[str, Any]:
    """Returns the variable of the length of a step; auto follows from the time range."""
    return choice("step", "The length of a step in plots over time; auto: by the time range", {name: name for name in _STEPS})


def choice(name: str, description: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Returns a variable with one of some values, the first at the beginning. `values` are the texts that are shown, and the value of each."""
    options = [{"text": text, "value": value, "selected": place == 0} for place, (text, value) in enumerate(values.items())]
    return {
        "name": name,
        "label": name,
        "type": "custom",
        "description": description,
        "query": ",".join(text if text == value else f"{text} : {value}" for text, value in values.items()),
        "multi": False,
        "includeAll": False,
        "allowCustomValue": False,
        "current": {"text": options[0]["text"], "value": options[0]["value"], "selected": True},
        "options": options,
        "hide": 0,
        "skipUrlSync": False,
    }


def text(name: str, label: str, description: str) -> dict[str, Any]:
    """Returns a variable that is written by hand or by a link."""
    return {
        "name": name,
        "label": label,
        "type": "textbox",
        "description": description,
        "query": "",
        "current": {"text": "", "value": "", "selected": True},
        "options": [{"text": "", "value": "", "selected": True}],
        "hide": 0,
        "skipUrlSync": False,
    }
