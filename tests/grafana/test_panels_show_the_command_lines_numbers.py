"""Every panel and every list of every dashboard, through the data source's own layers, has the numbers of `tokentrail query`: to the token."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.grafana_browser import ALL, Browser, Value
from tests.support.grafana_ledger import START_MS
from tests.support.query_path import Field, QueryPath
from tokentrail.clickhouse.client import Client
from tokentrail.grafana.boards import BOARDS
from tokentrail.grafana.expressions import OTHERS, DaysBack, Variable, coded, label
from tokentrail.grafana.panel import Board, Kind, Panel
from tokentrail.grafana.statements import code_column, linked, most, shown
from tokentrail.grafana.variables import LISTS
from tokentrail.ledger.query import answer, read
from tokentrail.ledger.values import parse_parameters

DAY_MS = 86_400_000
MOMENT = START_MS
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")
TRACE = f"{7:032x}"


@dataclass(frozen=True)
class Case:
    """What somebody has chosen above a dashboard."""

    name: str
    start: int = MOMENT - 22 * DAY_MS
    end: int = MOMENT + DAY_MS
    zone: str = "utc"
    step: str = "auto"
    chosen: dict[str, list[str]] = field(default_factory=dict)


HOSTILE = {
    "tenant": ["", "All", "$__all", "*", "~", "o'hara \\ söhne", "a,b", "{acme}", "\\'; DROP TABLE usage; --", "') OR 1=1 --", "line\nbreak\ttab"],
    "service": ["shop", "sea'rch, \\ {x}"],
    "operation": ["chat", "astro'logy \\ ,{}", ""],
    "environment": ["", "te'st"],
    "provider": ["o'llama \\", "openai"],
}
CASES = (
    Case("all"),
    Case("hostile names", chosen=HOSTILE),
)
"""For every panel."""
TIMES = (
    Case("two days, Madrid, hours", MOMENT - 2 * DAY_MS, MOMENT, "Europe/Madrid", "hour"),
    Case("ninety minutes and a bit, Kathmandu", MOMENT - 5_400_000 + 123, MOMENT - 1, "Asia/Kathmandu"),
    Case("weeks in New York", zone="America/New_York", step="week"),
    Case("months west of Greenwich", zone="Etc/GMT+9", step="month"),
    Case("before everything", 86_400_000, 2 * 86_400_000),
)
"""For one panel of each question and kind of plot."""
NAMES = (
    Case("empty tenant", chosen={"tenant": [""]}),
    Case("a tenant called All", chosen={"tenant": ["All"]}),
    Case("one tenant with quotes", chosen={"tenant": ["o'hara \\ söhne"]}),
    Case("the rest of the names", chosen={"tenant": ["${tenant} $__fromTime $tag$", "日本 \U0001f600", "a&b=c#d+e%41", "acme"]}),
    Case("models", chosen={"provider": ["o'llama \\", "openai"], "model": ["m'odel, {x} \\", "gpt-4o", ""]}),
    Case("nobody", chosen={"tenant": ["nobody"]}),
)
"""For some questions, since all select calls in the same way."""


def browser(dashboard: dict[str, Any], case: Case) -> Browser:
    values: dict[str, Value] = {name: [coded(each) for each in names] for name, names in case.chosen.items()}
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    own = {name: value for name, value in {"step": case.step, "trace": TRACE}.items() if name in names}
    return Browser(dashboard, case.start, case.end, case.zone, {**values, **own})


def asked(panel: Panel, case: Case) -> dict[str, Any]:
    """The same on the command line."""
    query = read(panel.question)
    known = {each.name for each in query.parameters}
    given: dict[str, list[str]] = {"from": [written(case.start)], "to": [written(case.end)]}
    given |= {each.parameter: case.chosen[each.name] for each in LISTS if each.name in case.chosen}
    given["timezone"] = ["UTC" if case.zone == "utc" else case.zone]
    for name, value in panel.parameters.items():
        if isinstance(value, DaysBack):
            given[name] = [written(case.end - value.days * DAY_MS)]
            continue
        texts = {"step": step(case), "trace": TRACE}.get(name, "") if isinstance(value, Variable) else value
        given[name] = [*texts] if isinstance(texts, (list, tuple)) else [str(texts)]
    return parse_parameters(query, {name: texts for name, texts in given.items() if name in known})


def step(case: Case) -> str:
    minutes = case.end // 60_000 - case.start // 60_000
    automatic = next((name for most, name in ((360, "minute"), (12_000, "hour"), (180_000, "day")) if minutes <= most), "month")
    return automatic if case.step == "auto" else case.step


def written(milliseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)).isoformat()


def asked_of(case: Case) -> list[tuple[Board, Panel]]:
    panels = [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]
    if case in CASES:
        return panels
    each = {(panel.question, panel.kind): (board, panel) for board, panel in panels}
    return [found for (question, _), found in each.items() if case in TIMES or question in ("tokens", "tokens_over_time", "cost", "latest_calls")]


ASKED = [(case, board, panel) for case in (*CASES, *TIMES, *NAMES) for board, panel in asked_of(case)]


@pytest.mark.parametrize(("case", "board", "panel"), ASKED, ids=[f"{case.name}: {board.uid}: {panel.title}" for case, board, panel in ASKED])
def test_a_panel_has_the_questions_answer(
    case: Case, board: Board, panel: Panel, dashboards: dict[str, dict[str, Any]], backend: QueryPath, ledger: Client
) -> None:
    dashboard = dashboards[board.uid]
    (drawn,) = (each for each in dashboard["panels"] if each["title"] == panel.title and each["type"] != "row")
    (target,) = drawn["targets"]
    sql = browser(dashboard, case).query(target["rawSql"])
    frames = backend.frames(sql, output=target["format"], start=case.start, end=case.end, zone=case.zone)
    wanted = answer(ledger, panel.question, asked(panel, case)).dicts()
    columns = shown(panel, read(panel.question))
    zone = case.zone if case.zone != "utc" and "timezone" in asked(panel, case) else "UTC"
    for row in wanted:
        if "time" in row:
            row["time"] = value(row["time"], zone)
    if panel.kind is Kind.STACK:
        assert alike(series(frames, columns), stacked(wanted, columns, most(panel)))
    elif panel.kind is Kind.LINES:
        assert alike(series(frames, columns), points(wanted, columns))
    else:
        wanted = wanted[: most(panel)] if panel.kind in (Kind.TABLE, Kind.BARS) else wanted
        names = [*columns, *(code_column(column) for column in columns if linked(panel, column))]
        for row in wanted:
            row |= {code_column(column): coded(row[column]) for column in columns if linked(panel, column)}
            if panel.kind is Kind.BARS:
                row["name"] = label(row["name"])
        found = rows(frames)
        for row, other in zip(found, wanted, strict=True):
            if "silent_seconds" in row:  # by the present moment: the two were asked one after the other
                assert 0 <= other.pop("silent_seconds") - row.pop("silent_seconds") < 600
        names = [name for name in names if name != "silent_seconds"]
        assert alike(found, [{name: value(row[name]) for name in names} for row in wanted])


def value(stated: Any, zone: str = "UTC") -> Any:
    """A value of the command line as a frame has it: times in milliseconds."""
    if isinstance(stated, str) and TIME.fullmatch(stated):
        moment = datetime.fromisoformat(stated[:26]).replace(tzinfo=ZoneInfo(zone))
        return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    return stated


def alike(found: Any, wanted: Any) -> bool:
    """Whether both are the same; money, which a frame has as a binary fraction, to 12 digits."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(alike(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(alike, found, wanted))
    if isinstance(found, float) and wanted is not None:
        return math.isclose(found, float(wanted), rel_tol=1e-12)
    return bool(found == wanted)


def rows(frames: list[list[Field]]) -> list[dict[str, Any]]:
    (fields,) = frames
    return [{each.name: each.values[place] for each in fields} for place in range(len(fields[0].values) if fields else 0)]


def series(frames: list[list[Field]], columns: tuple[str, ...]) -> dict[tuple[str, ...], dict[int, Any]]:
    """Points by the line's column and labels."""
    found: dict[tuple[str, ...], dict[int, Any]] = {}
    for fields in frames:
        if not fields:
            continue
        time, *lines = fields
        assert time.type == "time"
        for line in lines:
            labels = tuple(line.labels.get(name, "") for name in ("name", "currency") if name in columns)
            key = (line.name, *labels)
            assert key not in found
            found[key] = {moment: number for moment, number in zip(time.values, line.values, strict=True) if number is not None}
    return {key: line for key, line in found.items() if line}


def points(wanted: list[dict[str, Any]], columns: tuple[str, ...]) -> dict[tuple[str, ...], dict[int, Any]]:
    found: dict[tuple[str, ...], dict[int, Any]] = defaultdict(dict)
    for row in wanted:
        labels = tuple(label(row[name]) if name == "name" else row[name] for name in ("name", "currency") if name in columns)
        for column in columns:
            if column not in ("time", "name", "currency") and row[column] is not None:
                found[(column, *labels)][row["time"]] = row[column]
    return dict(found)


def stacked(wanted: list[dict[str, Any]], columns: tuple[str, ...], names: int) -> dict[tuple[str, ...], dict[int, Any]]:
    (column,) = (each for each in columns if each not in ("time", "name"))
    totals: dict[str, int] = defaultdict(int)
    for row in wanted:
        totals[row["name"]] += row[column] or 0
    largest = sorted(totals, key=lambda name: (-totals[name], name.encode()))[:names]
    found: dict[tuple[str, ...], dict[int, Any]] = defaultdict(lambda: defaultdict(int))
    for row in wanted:
        name = label(row["name"]) if row["name"] in largest else OTHERS
        found[column, name][row["time"]] += row[column]
    return {key: dict(line) for key, line in found.items()}


@pytest.mark.parametrize("case", [*CASES, NAMES[0]], ids=lambda case: case.name)
def test_a_list_has_every_name_once(case: Case, dashboards: dict[str, dict[str, Any]], backend: QueryPath, ledger: Client) -> None:
    for dashboard in dashboards.values():
        opened = browser(dashboard, case)
        for each in LISTS:
            variable = opened.variable(each.name)
            sql = opened.query(variable["query"]["rawSql"])
            # the plugin sends a list's query without a format, which the backend takes for a time series
            found = rows(backend.frames(sql, output=0, start=case.start, end=case.end))
            narrowed = {
                other.parameter: case.chosen[other.name] for other in LISTS if other.name in case.chosen and other.parameter in each.narrowed_by
            }
            given = {"from": [written(case.start)], "to": [written(case.end)], "by": [each.column], **narrowed}
            names = [row["name"] for row in answer(ledger, "names", parse_parameters(read("names"), given)).dicts()]
            assert found == [{"value": coded(name), "text": label(name)} for name in names]
            assert not {"", "All", ALL, variable["allValue"]} & {row["value"] for row in found}
