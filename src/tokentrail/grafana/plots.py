"""A panel as Grafana's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.grafana.panel import Kind, Panel
from tokentrail.grafana.statements import code_column, linked, most, shown, statement
from tokentrail.grafana.units import unit
from tokentrail.grafana.variables import DATASOURCE, kept
from tokentrail.ledger.query import Query, read

__all__ = ["PLUGIN", "description", "panel_json"]

PLUGIN: Final = "4.20.0"
"""The version of the data source's plugin whose form of a query this is."""
_TIME_SERIES, _TABLE, _TRACE = 0, 1, 3
_FORMATS: Final = {Kind.LINES: _TIME_SERIES, Kind.STACK: _TIME_SERIES, Kind.TRACE: _TRACE}
_TYPES: Final = {Kind.STACK: "timeseries"}
_BOARDS: Final = {"provider": "provider", "model": "provider", "tenant": "tenant"}
"""The dashboards to which values lead; other values lead to the overview."""


def panel_json(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    """Returns a panel as Grafana's JSON, at a place of the grid."""
    query = read(panel.question)
    columns = shown(panel, query)
    target = {
        "refId": "A",
        "datasource": DATASOURCE,
        "editorType": "sql",
        "format": _FORMATS.get(panel.kind, _TABLE),
        "rawSql": statement(panel),
        "pluginVersion": PLUGIN,
        **({"queryType": "traces"} if panel.kind is Kind.TRACE else {"queryType": "timeseries" if panel.kind in _FORMATS else "table"}),
    }
    return {
        "id": number,
        "type": _TYPES.get(panel.kind, panel.kind.value),
        "title": panel.title,
        "description": description(panel, query, columns),
        "datasource": DATASOURCE,
        "gridPos": dict(place),
        "targets": [target],
        "fieldConfig": {"defaults": _defaults(panel, columns), "overrides": _overrides(panel, columns)},
        "options": _options(panel, columns),
    }


def description(panel: Panel, query: Query, columns: tuple[str, ...]) -> str:
    """Returns what a panel answers, from its question's header, and how the command line answers the same."""
    meanings = [f"- {_label(column.name)}: {column.text}" for column in query.columns if column.name in columns and column.text != "The model"]
    limit = {Kind.STACK: f"The {panel.most or 12} largest are shown by name, the rest as (others)."}.get(panel.kind, "")
    if panel.kind in (Kind.BARS, Kind.TABLE):
        limit = f"At most {most(panel)} rows."
    asked = f"`tokentrail query {query.name}` answers the same."
    return "\n\n".join(filter(None, [f"{query.title}. Unit: {query.unit}.", "\n".join(meanings), query.notes, limit, asked]))


def _label(column: str) -> str:
    return column.replace("_", " ")


def _defaults(panel: Panel, columns: tuple[str, ...]) -> dict[str, Any]:
    values = _values(columns)
    made: dict[str, Any] = {"noValue": panel.empty, "unit": unit(values[0]) if values else "none"}
    if panel.kind in (Kind.LINES, Kind.STACK):
        stacked = panel.kind is Kind.STACK
        if "name" in columns:
            labels = [f"${{__field.labels.{column}}}" for column in ("name", "currency") if column in columns]
            made["displayName"] = " ".join([*labels, *([] if len(values) == 1 else ["${__field.name}"])])
        made["custom"] = {
            "drawStyle": "bars" if stacked else "line",
            "fillOpacity": 70 if stacked else 8,
            "lineWidth": 1 if stacked else 2,
            "pointSize": 5,
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        }
        made["min"] = 0
    elif panel.kind in (Kind.NUMBERS, Kind.BARS):
        made["color"] = {"mode": "fixed", "fixedColor": "blue"}
        made["thresholds"] = {"mode": "absolute", "steps": [{"color": "blue", "value": None}]}
        if panel.kind is Kind.BARS:
            made["min"] = 0
    elif panel.kind is Kind.TABLE:
        made["custom"] = {"align": "auto", "filterable": True, "inspect": True}
    return made


def _values(columns: tuple[str, ...]) -> list[str]:
    return [column for column in columns if column not in ("time", "name", "currency")]


def _overrides(panel: Panel, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns each column's unit, name and links; the columns of codes are hidden."""
    made = []
    several = len(_values(columns)) > 1
    for column in columns:
        properties: list[dict[str, Any]] = []
        if panel.kind in (Kind.LINES, Kind.STACK):
            if column not in ("time", "name") and several:
                label = f"${{__field.labels.name}} {_label(column)}" if "name" in columns else _label(column)
                properties = [_property("displayName", label), _property("unit", unit(column))]
        elif panel.kind is not Kind.TRACE:
            properties = [_property("displayName", _label(str(panel.parameters.get("by", "name")) if column == "name" else column))]
            if panel.kind is not Kind.BARS or column != "name":
                properties.append(_property("unit", unit(column)))
            if panel.kind is Kind.TABLE and (links := _links(panel, column, columns)):
                properties.append(_property("links", links))
        if properties:
            made.append(_override(column, *properties))
        if linked(panel, column):
            made.append(_override(code_column(column), _property("custom.hidden", value=True)))
    return made


def _property(name: str, value: object) -> dict[str, Any]:
    return {"id": name, "value": value}


def _override(column: str, *properties: dict[str, Any]) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": column}, "properties": list(properties)}


def _links(panel: Panel, column: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    if variable := linked(panel, column):
        board = _BOARDS.get(variable, "overview")
        value = f"${{__data.fields.{code_column(column)}:percentencode}}"
        return [_link(f"{board.title()}: this {variable}", f"/d/tokentrail-{board}?var-{variable}={value}&{kept(without=variable)}")]
    if column == "ts" and "trace_id" in columns:
        return [_link("Calls and spans of its trace", f"/d/tokentrail-calls?var-trace=${{__data.fields.trace_id:percentencode}}&{kept()}")]
    return []


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": False}


def _options(panel: Panel, columns: tuple[str, ...]) -> dict[str, Any]:
    if panel.kind in (Kind.LINES, Kind.STACK):
        return {
            "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["sum"] if panel.kind is Kind.STACK else ["max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.kind is Kind.NUMBERS:
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/.*/", "values": "currency" in columns},
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "value_and_name",
            "orientation": "auto",
            "justifyMode": "auto",
        }
    if panel.kind is Kind.BARS:
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": f"/^{_label(_values(columns)[0])}$/", "values": True, "limit": most(panel)},
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "text",
            "namePlacement": "auto",
        }
    if panel.kind is Kind.TABLE:
        return {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    return {}
