"""Every panel and every list of every dashboard, through the data source's own layers, has the numbers of `tokentrail query`: to the token."""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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
    by: str = "provider"
    chosen: dict[str, list[str]] = field(default_factory=dict)


HOSTILE = {
    "tenant": ["", "All", "$__all", "*", "~", "o'hara \\ söhne", "a,b", "{acme}", "\\'; DROP TABLE usage; --", "') OR 1=1 --", "line\nbreak\ttab"],
    "service": ["shop", "sea'rch, \\ {x}"],
    "operation": ["chat", "astro'logy \\ ,{}", ""],
    "environment": ["", "te'st"],
    "provider": ["o'llama \\", "openai"],
}
TIMES = (
    Case("22 days"),
    Case("two days, Madrid, hours", MOMENT - 2 * DAY_MS, MOMENT, "Europe/Madrid", "hour", "tenant_id"),
    Case("ninety minutes and a bit, Kathmandu", MOMENT - 5_400_000 + 123, MOMENT - 1, "Asia/Kathmandu", by="model"),
    Case("weeks in New York", zone="America/New_York", step="week", by="operation"),
    Case("months west of Greenwich", zone="Etc/GMT+9", step="month", by="token_type"),
)
"""Each panel is asked for two of them, with all names and with names that hurt."""
NAMES = (
    Case("empty tenant", chosen={"tenant": [""]}),
    Case("a tenant called All", chosen={"tenant": ["All"]}),
    Case("one tenant with quotes", chosen={"tenant": ["o'hara \\ söhne"]}),
    Case("the rest of the names", chosen={"tenant": ["${tenant} $__fromTime $tag$", "日本 \U0001f600", "a&b=c#d+e%41", "acme"]}),
    Case("models", chosen={"provider": ["o'llama \\", "openai"], "model": ["m'odel, {x} \\", "gpt-4o", ""]}),
    Case("an operation by its constant", chosen={"operation": ["OPERATION_CHAT"]}),
    Case("nobody", chosen={"tenant": ["nobody"]}),
    Case("before everything", 86_400_000, 2 * 86_400_000),
)
"""One of them for each question and kind of plot: all questions choose calls in the same way."""
CLOCKS_GO_BACK = Case("the clocks go back in New York", 1_793_419_200_000, 1_793_678_400_000, "America/New_York", "day")
"""31 October to 2 November 2026, for each question that has days or hours: the first of November has 25 hours."""


def browser(dashboard: dict[str, Any], case: Case) -> Browser:
    values: dict[str, Value] = {name: [coded(each) for each in names] for name, names in case.chosen.items()}
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    own = {name: value for name, value in {"step": case.step, "by": case.by, "trace": TRACE}.items() if name in names}
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
        texts = {"step": step(case), "by": case.by, "trace": TRACE}.get(name, "") if isinstance(value, Variable) else value
        given[name] = [*texts] if isinstance(texts, (list, tuple)) else [str(texts)]
    return parse_parameters(query, {name: texts for name, texts in given.items() if name in known})


def step(case: Case) -> str:
    minutes = case.end // 60_000 - case.start // 60_000
    automatic = next((name for most, name in ((360, "minute"), (12_000, "hour"), (180_000, "day")) if minutes <= most), "month")
    return automatic if case.step == "auto" else case.step


def written(milliseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)).isoformat()


def chosen() -> Iterator[tuple[Case, Board, Panel]]:
    """Which panel is asked for what: pairs of times and names that differ from panel to panel, and not all with all."""
    panels = [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]
    for place, (board, panel) in enumerate(panels):
        yield TIMES[place % len(TIMES)], board, panel
        hostile = TIMES[(place + place // len(TIMES) + 1) % len(TIMES)]
        yield replace(hostile, name=f"hostile names, {hostile.name}", chosen=HOSTILE), board, panel
    first = {(panel.question, panel.kind): (board, panel) for board, panel in panels}
    for place, (board, panel) in enumerate(first.values()):
        yield NAMES[place % len(NAMES)], board, panel
        if any(each.name == "timezone" for each in read(panel.question).parameters):
            yield CLOCKS_GO_BACK, board, panel


ASKED = [*chosen()]


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
        assert alike(series(frames, columns), points(wanted, columns, most(panel), steps(panel, case)))
    elif panel.kind is Kind.WEEK:
        assert alike(rows(frames), week(wanted, *columns))
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
        moments, *lines = fields
        assert moments.type == "time"
        for line in lines:
            labels = tuple(line.labels.get(name, "") for name in ("name", "currency") if name in columns)
            key = (line.name, *labels)
            assert key not in found
            found[key] = {moment: number for moment, number in zip(moments.values, line.values, strict=True) if number is not None}
    return {key: line for key, line in found.items() if line}


def points(wanted: list[dict[str, Any]], columns: tuple[str, ...], names: int, steps: Sequence[int]) -> dict[tuple[str, ...], dict[int, Any]]:
    """The points of lines: at a step without a call sums are 0; without a price nobody knows the cost, which is not 0."""
    values = [column for column in columns if column not in ("time", "name", "currency")]
    if "currency" in columns:
        shown = largest(wanted, names)
        wanted = [row | {"name": label(row["name"]) if row["name"] in shown else OTHERS} for row in wanted]
    elif "name" in columns:
        wanted = [row | {"name": label(row["name"])} for row in wanted]
    found: dict[tuple[str, ...], dict[int, Any]] = defaultdict(dict)
    said: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for row in wanted:
        labels = tuple(row[each] for each in ("name", "currency") if each in columns)
        said[labels].add(row["time"])
        for column in values if row.get("currency") != "" else ():
            line = found[(column, *labels)]
            if row[column] is not None:
                line[row["time"]] = line.get(row["time"], 0) + row[column]
    for (column, *labels), line in found.items():
        if column == "cost" or column.endswith("_tokens"):
            known = said[tuple(labels)] | (said[labels[0], ""] if "currency" in columns else set())
            line.update(dict.fromkeys([step for step in steps if step not in known], 0))
    return {key: line for key, line in found.items() if line}


def largest(wanted: list[dict[str, Any]], names: int) -> set[str]:
    """The names that are among those with the largest cost, in any currency."""
    found: set[str] = set()
    for currency in {row["currency"] for row in wanted} - {""}:
        totals: dict[str, Any] = {}
        for row in wanted:
            if row["currency"] == currency:
                totals[row["name"]] = totals.get(row["name"], 0) + float(row["cost"] or 0)
        found |= set(sorted(totals, key=lambda name: (-totals[name], name.encode()))[:names])
    return found


def steps(panel: Panel, case: Case) -> list[int]:
    """The beginnings of all steps of the time range, up to now; none for a plot without steps."""
    if "step" not in asked(panel, case):
        return []
    apart, zone, found = 60_000 if step(case) == "minute" else 1_800_000, ZoneInfo("UTC" if case.zone == "utc" else case.zone), dict[int, None]()
    end = min(case.end, int(time.time() * 1000))
    for moment in [*range(case.start, end, apart), end - 1]:
        local = datetime.fromtimestamp(moment / 1000, zone).replace(second=0, microsecond=0)
        if step(case) != "minute":
            local = local.replace(minute=0)
        if step(case) not in ("minute", "hour"):
            local = local.replace(hour=0)
        if step(case) == "week":
            local -= timedelta(days=local.weekday())
        if step(case) == "month":
            local = local.replace(day=1)
        found[int(local.timestamp() * 1000)] = None
    return [*found]


def week(wanted: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    days: dict[int, dict[str, Any]] = {}
    for row in wanted:
        day = datetime(2026, 11, 1 + row["weekday"], tzinfo=timezone.utc).strftime("%A")
        days.setdefault(row["weekday"], {"day": day} | {f"{hour:02d}": None for hour in range(24)})[f"{row['hour']:02d}"] = row[column]
    return [*days.values()]


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


@pytest.mark.parametrize("case", [TIMES[0], Case("hostile names", chosen=HOSTILE), NAMES[0]], ids=lambda case: case.name)
def test_a_list_has_every_name_once(case: Case, dashboards: dict[str, dict[str, Any]], backend: QueryPath, ledger: Client) -> None:
    lists = [[dashboard["templating"]["list"][place] for place in range(len(LISTS))] for dashboard in dashboards.values()]
    assert all(each == lists[0] for each in lists), "one dashboard's lists are every dashboard's"
    opened = browser(dashboards["tokentrail-calls"], case)
    for each in LISTS:
        variable = opened.variable(each.name)
        sql = opened.query(variable["query"]["rawSql"])
        # the plugin sends a list's query without a format, which the backend takes for a time series
        found = rows(backend.frames(sql, output=0, start=case.start, end=case.end))
        narrowed = {other.parameter: case.chosen[other.name] for other in LISTS if other.name in case.chosen and other.parameter in each.narrowed_by}
        given = {"from": [written(case.start)], "to": [written(case.end)], "by": [each.column], **narrowed}
        names = [row["name"] for row in answer(ledger, "names", parse_parameters(read("names"), given)).dicts()]
        assert found == [{"value": coded(name), "text": label(name)} for name in names]
        assert not {"", "All", ALL, variable["allValue"]} & {row["value"] for row in found}
