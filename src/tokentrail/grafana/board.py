"""A dashboard as Grafana's JSON."""

from __future__ import annotations

from typing import Any, Final

from tokentrail.grafana.panel import Board
from tokentrail.grafana.plots import panel_json
from tokentrail.grafana.variables import variables

__all__ = ["TAG", "board_json"]

TAG: Final = "tokentrail"
"""The tag by which the dashboards find each other."""
_WIDTH: Final = 24
_SCHEMA: Final = 41
"""The form of dashboards that Grafana 11.6 writes; newer ones read it."""


def board_json(board: Board) -> dict[str, Any]:
    """Returns a dashboard as the JSON of a file that Grafana provisions."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": [TAG],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "liveNow": False,
        "refresh": "",
        "timezone": "",
        "weekStart": "",
        "time": {"from": board.time_from, "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "annotations": {"list": []},
        "links": [_dashboards()],
        "templating": {"list": [*variables(), *board.variables]},
        "panels": _panels(board),
    }


def _dashboards() -> dict[str, Any]:
    """Returns the links to the other dashboards, which keep the variables and the time range."""
    return {
        "title": "tokentrail",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _panels(board: Board) -> list[dict[str, Any]]:
    """Returns rows and panels, from left to right and from top to bottom."""
    made: list[dict[str, Any]] = []
    top = 0
    for row in board.rows:
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        made.append({"id": len(made) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": place})
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                top, left, height = top + height, 0, 0
            made.append(panel_json(panel, len(made) + 1, {"x": left, "y": top, "w": panel.width, "h": panel.height}))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return made
