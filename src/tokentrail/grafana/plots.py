"""A panel as Grafana's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.grafana.expressions import NONE
from tokentrail.grafana.panel import Kind, Panel
from tokentrail.grafana.statements import LINKED, code_column, linked, most, shown, statement
from tokentrail.grafana.units import COUNT, TIME, unit
from tokentrail.grafana.variables import DATASOURCE, kept
from tokentrail.ledger.query import Query, read

__all__ = ["PLUGIN", "description", "narrowest", "panel_json", "room"]

PLUGIN: Final = "4.20.0"
"""The version of the data source's plugin whose form of a query this is."""
_TIME_SERIES, _TABLE, _TRACE = 0, 1, 3
_FORMATS: Final = {Kind.LINES: _TIME_SERIES, Kind.STACK: _TIME_SERIES, Kind.TRACE: _TRACE}
_TYPES: Final = {Kind.STACK: "timeseries", Kind.WEEK: "table"}
NO_VALUE: Final = "\u2013"
"""What stands where a value is not known: else Grafana writes the panel's text for an empty answer there."""
NO_CURRENCY: Final = "unpriced"
_COUNTS: Final = {"matcher": {"id": "byType", "options": "number"}, "properties": [{"id": "unit", "value": COUNT}]}
"""Only numbers have a unit: of a text with a unit that reads as a number, such as the tenant 0042 or 1e5, Grafana would show the number."""
HALF: Final = 12
"""Columns of the grid from which on a legend finds room beside its plot; below it a person sees three of its names."""
_FILTER: Final = 22
"""The width of the icon by which rows are chosen."""
_NUMBER: Final = 60
_NAMES: Final = {
    "model": 180,
    "request_model": 180,
    "response_model": 180,
    "price_model": 180,
    "error_type": 136,
    "reason": 250,
    "key": 140,
    "writer_id": 260,
    "finding": 310,
    "place": 170,
    "differences": 250,
    "explanation": 250,
    "why": 180,
    "trace_id": 84,
    "tenant": 90,
    "service": 90,
    "provider": 90,
    "environment": 90,
    "operation": 105,
}
"""The narrowest width of names, by the variable to which they lead, or by their column."""
_CHOSEN_BY: Final = ("operation", "error_type", "reason", "finding", "currency")
_BLUES: Final = ((0, 0.03), (12, 0.08), (25, 0.14), (38, 0.2), (50, 0.27), (62, 0.7), (75, 0.85), (88, 1))
"""From so many percent of the largest number on, how opaque a cell's blue is: below 0.3 Grafana writes in the theme's own color, above in white."""
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
    limit = ""
    if panel.kind is Kind.STACK or (panel.kind is Kind.LINES and "currency" in columns):
        limit = f"The {most(panel)} largest are shown by name, the rest as (others)."
    elif panel.kind in (Kind.BARS, Kind.TABLE):
        limit = f"At most {most(panel)} rows."
    asked = f"`tokentrail query {query.name}` answers the same."
    return "\n\n".join(filter(None, [f"{query.title}. Unit: {query.unit}.", "\n".join(meanings), query.notes, limit, asked]))


def _label(column: str) -> str:
    """Returns a column's heading. Names have that of their variable. Grafana writes a duration's unit beside each number."""
    if column in ("ts", *LINKED):
        return LINKED.get(column, "time")
    return column.removesuffix("_ms").removesuffix("_seconds").replace("_", " ")


def _widths(panel: Panel, columns: tuple[str, ...]) -> dict[str, int]:
    """Returns the widths of those of a table's columns that need more than an equal part of a screen of 1400 pixels; the others share what is left.

    Grafana gives a column without a width an equal part even where another column takes more than that, and then scrolls sideways.
    """
    needed = sorted(((narrowest(panel, column), column) for column in columns), reverse=True)
    left, fixed = room(panel), dict[str, int]()
    for place, (width, column) in enumerate(needed):
        if width * (len(needed) - place) <= left:
            break
        fixed[column] = width
        left -= width
    return fixed


def room(panel: Panel) -> int:
    """Returns how many pixels a panel's columns have on a screen of 1400 pixels, beside a bar that scrolls down."""
    return (1400 - 32 + 8) * panel.width // 24 - 8 - 18


def narrowest(panel: Panel, column: str) -> int:
    """Returns the width below which a table's column would cut its heading, a time, or most names: in pixels."""
    heading = 22 + round(7.5 * len(_heading(panel, column))) + (_FILTER if _filterable(panel, column) else 0)
    if unit(column) == TIME:
        return max(154, heading)
    name = linked(panel, column) or column
    return max(_NAMES.get(name, _NUMBER), heading)


def _heading(panel: Panel, column: str) -> str:
    return _label(str(panel.parameters.get("by", "name")) if column == "name" else column)


def _filterable(panel: Panel, column: str) -> bool:
    """Whether a table's rows can be chosen by a column's values: names, of which many rows have one."""
    return bool(linked(panel, column)) or column in _CHOSEN_BY


def _defaults(panel: Panel, columns: tuple[str, ...]) -> dict[str, Any]:
    values = _values(columns)
    made: dict[str, Any] = {"noValue": panel.empty}
    if panel.kind in (Kind.LINES, Kind.STACK):
        made["unit"] = unit(values[0])
        stacked = panel.kind is Kind.STACK
        if "name" in columns:
            labels = [f"${{__field.labels.{column}}}" for column in ("name", "currency") if column in columns]
            made["displayName"] = " ".join([*labels, *([] if len(values) == 1 else ["${__field.name}"])])
        made["custom"] = {
            "drawStyle": "bars" if stacked else "line",
            "fillOpacity": 80 if stacked else 0 if "name" in columns else 8,
            "lineWidth": 0 if stacked else 2,
            "barWidthFactor": 0.9,
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
        made["custom"] = {"align": "auto", "filterable": False, "inspect": True}
    elif panel.kind is Kind.WEEK:
        steps = [{"color": f"rgba(31, 96, 196, {alpha})", "value": percent or None} for percent, alpha in _BLUES]
        made |= {"min": 0, "color": {"mode": "thresholds"}, "thresholds": {"mode": "percentage", "steps": steps}}
        made["custom"] = {
            "align": "center",
            "minWidth": 44,
            "filterable": False,
            "inspect": False,
            "cellOptions": {"type": "color-background", "mode": "basic"},
        }
    return made


def _values(columns: tuple[str, ...]) -> list[str]:
    return [column for column in columns if column not in ("time", "name", "currency")]


def _overrides(panel: Panel, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns each column's unit, name and links; the columns of codes are hidden."""
    if panel.kind is Kind.WEEK:
        return _week()
    made = [] if panel.kind in (Kind.LINES, Kind.STACK, Kind.TRACE) else [_COUNTS]
    for column in columns:
        if properties := _properties(panel, column, columns):
            made.append(_override(column, *properties))
        if linked(panel, column):
            made.append(_override(code_column(column), _property("custom.hidden", value=True)))
    return made


def _week() -> list[dict[str, Any]]:
    """Returns what tells a week's cells of hours from those of the days' names: short numbers, and the color."""
    hours = {"matcher": {"id": "byType", "options": "number"}, "properties": [_property("unit", "short"), _property("noValue", NO_VALUE)]}
    day = [_property("custom.width", 90), _property("custom.align", "left"), _property("custom.cellOptions", {"type": "auto"})]
    return [hours, _override("day", *day)]


def _properties(panel: Panel, column: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    values = _values(columns)
    if panel.kind is Kind.TRACE:
        return []
    if panel.kind in (Kind.LINES, Kind.STACK):
        if column not in values:
            return []
        label = f"${{__field.labels.name}} {_label(column)}" if "name" in columns else _label(column)
        named = [_property("displayName", label), _property("unit", unit(column))] if len(values) > 1 else []
        return [*named, _property("noValue", NO_VALUE)]
    measured = [_property("unit", unit(column))] if unit(column) != COUNT else []
    if panel.kind is Kind.BARS or (panel.kind is Kind.NUMBERS and "currency" in columns):
        # no name for the column: each bar and each currency would have that name, and not the name of its row
        return (
            [*measured, _property("noValue", NO_VALUE)] if column in values else [_property("noValue", NO_CURRENCY)] if column == "currency" else []
        )
    made = [_property("displayName", _heading(panel, column)), *measured, _property("noValue", NONE if linked(panel, column) else NO_VALUE)]
    if panel.kind is Kind.TABLE:
        width = _widths(panel, columns).get(column)
        made.append(_property("custom.width", width) if width else _property("custom.minWidth", narrowest(panel, column)))
        if _filterable(panel, column):
            made.append(_property("custom.filterable", value=True))
        if links := _links(panel, column, columns):
            made.append(_property("links", links))
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
            "legend": {
                "displayMode": "table",
                "placement": "right" if panel.width >= HALF else "bottom",
                "showLegend": True,
                "calcs": ["sum"] if panel.kind is Kind.STACK else ["max"],
                "sortBy": "Total" if panel.kind is Kind.STACK else "Max",
                "sortDesc": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.kind is Kind.NUMBERS:
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/^cost$/" if "currency" in columns else "/.*/", "values": "currency" in columns},
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "value_and_name",
            "orientation": "auto",
            "justifyMode": "auto",
        }
    if panel.kind is Kind.BARS:
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": f"/^{_values(columns)[0]}$/", "values": True, "limit": most(panel)},
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "text",
            "namePlacement": "auto",
            "text": {"titleSize": 12, "valueSize": 14},
        }
    if panel.kind in (Kind.TABLE, Kind.WEEK):
        return {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    return {}
