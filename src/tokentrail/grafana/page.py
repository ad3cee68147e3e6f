"""The part of docs/grafana.md that lists dashboards and panels: made from the dashboards."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.boards import BOARDS
from tokentrail.grafana.panel import Board
from tokentrail.ledger.query import read

__all__ = ["BEGIN", "dashboards_page"]

BEGIN: Final = "<!-- From here on this page is made from the dashboards: make docs -->\n"


def dashboards_page() -> str:
    """Returns one section for each dashboard, one row of a table for each panel."""
    return BEGIN + "".join(map(_section, BOARDS))


def _section(board: Board) -> str:
    lines = [f"\n## {board.title.removeprefix('tokentrail: ')}\n", f"{board.description}.\n", "| panel | answers | question |", "| --- | --- | --- |"]
    for panel in (panel for row in board.rows for panel in row.panels):
        title = panel.title.replace("${by}", "the chosen dimension")
        lines.append(f"| {title} | {read(panel.question).title} | [`{panel.question}`](queries.md#{panel.question}) |")
    return "\n".join(lines) + "\n"
