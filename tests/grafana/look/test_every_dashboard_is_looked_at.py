"""Every dashboard that is checked in, drawn by Grafana's own components from what the data source's backend answers: a person reads the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import grafana_shown
from tests.support.grafana_browser import Browser
from tests.support.grafana_ledger import START_MS
from tests.support.grafana_look import MAX_BYTES, Look, looking
from tests.support.grafana_opened import answers, draw, panels
from tests.support.query_path import QueryPath

pytestmark = pytest.mark.slow

DAY_MS = 86_400_000
FOLDER = Path(__file__).parents[3] / "deploy/grafana/provisioning/dashboards/tokentrail"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

SCROLL_SIDEWAYS = """[...document.querySelectorAll('[data-panel]')]
    .filter((panel) => [...panel.querySelectorAll('[role=grid]')].some((grid) => grid.scrollWidth > grid.clientWidth + 1))
    .map((panel) => panel.dataset.title)"""
"""The titles of the panels whose table has columns outside of the panel."""


@pytest.fixture(scope="module")
def look() -> Iterator[Look]:
    with looking() as look:
        yield look


def opened(dashboard: dict[str, Any], start: int, end: int) -> Browser:
    return Browser(dashboard, start, end)


@pytest.mark.parametrize("name", NAMES)
def test_panels_show_what_was_answered(name: str, look: Look, dashboards: dict[str, dict[str, Any]], backend: QueryPath) -> None:
    dashboard = opened(dashboards[name], START_MS - 22 * DAY_MS, START_MS + DAY_MS)
    given = answers(dashboard, backend)
    for theme in ("light", "dark"):
        looked = draw(look, dashboard, given, theme=theme)
        assert looked.complaints == []
        assert {panel.title: panel.error for panel in looked.panels if panel.error} == {}
        assert {panel.title: panel.faults for panel in looked.panels if panel.faults} == {}
        seen = {panel.id: panel for panel in looked.panels}
        wrong = {panel["title"]: grafana_shown.faults(panel, given[panel["id"]], seen[panel["id"]]) for panel in panels(dashboards[name])}
        assert {title: faults[:5] for title, faults in wrong.items() if faults} == {}
        assert look.evaluate(SCROLL_SIDEWAYS) == [], theme
        # the names of the seeded ledger are hostile: they are text, and no element of a panel is made of them
        assert look.evaluate("document.querySelectorAll('main img, main script, main iframe, main [onerror], main [onload]').length") == 0
        assert [link for panel in looked.panels for link in panel.links if not link.startswith("/d/tokentrail-")] == []


@pytest.mark.parametrize("name", NAMES)
def test_panels_without_data_say_so(name: str, look: Look, dashboards: dict[str, dict[str, Any]], backend: QueryPath) -> None:
    dashboard = opened(dashboards[name], DAY_MS, 2 * DAY_MS)
    given = answers(dashboard, backend)
    looked = draw(look, dashboard, given)
    assert looked.complaints == []
    assert {panel.title: panel.error for panel in looked.panels if panel.error} == {}
    seen = {panel.id: panel for panel in looked.panels}
    wrong = {panel["title"]: grafana_shown.faults(panel, given[panel["id"]], seen[panel["id"]]) for panel in panels(dashboards[name])}
    assert {title: faults for title, faults in wrong.items() if faults} == {}


@pytest.mark.parametrize("name", NAMES)
def test_docs_show_a_picture(name: str) -> None:
    docs = FOLDER.parents[4] / "docs"
    picture = f"images/grafana-{name.removeprefix('tokentrail-')}.png"
    assert f"]({picture})" in (docs / "grafana.md").read_text("utf-8")
    assert 10_000 < (docs / picture).stat().st_size < MAX_BYTES, "make screenshots"


def test_there_are_dashboards() -> None:
    assert NAMES
