"""A dashboard that is opened: its panels ask the data source's backend, and what they are answered is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.support.grafana_browser import Browser
from tests.support.grafana_look import Look, Looked
from tests.support.query_path import QueryPath

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
Answers = dict[int, dict[str, Any]]


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel, also those in closed rows."""
    for panel in dashboard["panels"]:
        yield from panels(panel) if panel["type"] == "row" and panel.get("panels") else ()
        if panel["type"] != "row":
            yield panel


def answers(opened: Browser, backend: QueryPath) -> Answers:
    """What the backend answers to each panel, in the form of Grafana's /api/ds/query."""
    given: Answers = {}
    for panel in panels(opened.dashboard):
        results: dict[str, Any] = {}
        for target in panel.get("targets", ()):
            sql = opened.query(target["rawSql"])
            said = backend.said(sql, output=target["format"], start=opened.start, end=opened.end)
            results[target["refId"]] = {"error": said["error"]} if said["error"] else {"status": 200, "frames": said["frames"] or []}
        given[panel["id"]] = {"results": results}
    return given


def draw(look: Look, opened: Browser, given: Answers, *, theme: str = "light", time_text: tuple[str, str] | None = None) -> Looked:
    """Draw an opened dashboard."""
    texts = {
        variable["name"]: variable["current"]["text"]
        for variable in opened.variables
        if opened.values[variable["name"]] == variable["current"]["value"]
    }
    start, end = (EPOCH + timedelta(milliseconds=edge) for edge in (opened.start, opened.end))
    return look.draw(
        opened.dashboard, given, start=start, end=end, zone=opened.zone, theme=theme, variables=opened.values, texts=texts, time_text=time_text
    )
