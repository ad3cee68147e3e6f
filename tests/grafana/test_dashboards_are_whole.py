"""What every panel, variable and link of every dashboard has, and where it leads."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.grafana.conftest import EXPORTED
from tests.support.grafana_browser import ALL, Browser, encode_strictly
from tests.support.grafana_ledger import TENANTS
from tokentrail.grafana.boards import BOARDS
from tokentrail.grafana.expressions import coded, label
from tokentrail.grafana.panel import Kind
from tokentrail.grafana.plots import narrowest, panel_json, room
from tokentrail.grafana.statements import shown
from tokentrail.grafana.variables import LISTS
from tokentrail.ledger.query import read

BEYOND = re.compile(r"\$(?!__fromTime_ms\b|__toTime_ms\b|\{\w+:percentencode\})")
"""What Grafana would expand in a way that is not safe."""

Dashboards = dict[str, dict[str, Any]]


def panels(dashboards: Dashboards) -> Iterator[tuple[str, dict[str, Any]]]:
    for uid, dashboard in dashboards.items():
        yield from ((uid, panel) for panel in dashboard["panels"] if panel["type"] != "row")


def test_there_are_the_five(dashboards: Dashboards) -> None:
    assert set(dashboards) == {f"tokentrail-{name}" for name in ("overview", "provider", "tenant", "truth", "calls")} == {each.uid for each in BOARDS}
    assert all(dashboard["uid"] == uid for uid, dashboard in dashboards.items())


def test_every_panel_says_what_it_answers(dashboards: Dashboards) -> None:
    asked = {(board.uid, panel.title): panel for board in BOARDS for row in board.rows for panel in row.panels}
    assert len(asked) == len([*panels(dashboards)])
    for uid, panel in panels(dashboards):
        query = read(asked[uid, panel["title"]].question)
        assert query.title in panel["description"]
        assert query.unit in panel["description"]
        assert f"`tokentrail query {query.name}`" in panel["description"]
        defaults = panel["fieldConfig"]["defaults"]
        matchers = [override["matcher"] for override in panel["fieldConfig"]["overrides"]]
        # numbers alone have a unit: of a name such as 1e5 with a unit Grafana shows 100,000
        if panel["type"] == "timeseries":
            assert defaults["unit"]
        elif panel["type"] != "traces":
            assert "unit" not in defaults
            assert matchers[0] == {"id": "byType", "options": "number"}
        assert len(defaults["noValue"]) > 10
        (target,) = panel["targets"]
        assert target["editorType"] == "sql"
        assert target["datasource"] == panel["datasource"]
        assert not BEYOND.search(target["rawSql"]), BEYOND.findall(target["rawSql"])


def test_every_question_for_people_is_on_a_dashboard() -> None:
    asked = {panel.question for board in BOARDS for row in board.rows for panel in row.panels}
    assert asked >= {
        *("tokens", "cost", "latency", "errors", "losses", "certainty", "response_cache", "spans_of_a_trace"),
        *(
            "processes",
            "reconciliation",
            "findings",
            "not_understood",
            "copies",
            "contradictions",
            "certainty_over_time",
            "arrival_over_time",
            "journals",
        ),
    }


def test_panels_stand_beside_each_other(dashboards: Dashboards) -> None:
    for dashboard in dashboards.values():
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(numbers)) == len(numbers)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = set(itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])))
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_dashboard_has_the_same_variables_and_links_that_keep_them(dashboards: Dashboards) -> None:
    for uid, dashboard in dashboards.items():
        found = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        assert [*found] == [*(each.name for each in LISTS), "step", *{"tokentrail-calls": ["trace"], "tokentrail-overview": ["by"]}.get(uid, [])]
        for each in LISTS:
            variable = found[each.name]
            assert (variable["multi"], variable["includeAll"], variable["current"]["value"], variable["refresh"]) == (True, True, [ALL], 2)
            assert not BEYOND.search(variable["query"]["rawSql"])
            assert set(variable["query"]) == {"refId", "editorType", "queryType", "rawSql"}
            assert variable["query"]["queryType"] == "sql"
        (link,) = dashboard["links"]
        assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", dashboard["tags"], True, True)


def test_data_source_and_folder_are_those_that_the_dashboards_name(dashboards: Dashboards) -> None:
    sources = yaml.safe_load((EXPORTED / "provisioning/datasources/tokentrail.yaml").read_text("utf-8"))["datasources"]
    known = [{"type": source["type"], "uid": source["uid"]} for source in sources]
    found = [panel["datasource"] for _, panel in panels(dashboards)]
    found += [variable["datasource"] for each in dashboards.values() for variable in each["templating"]["list"] if "datasource" in variable]
    assert all(each in known for each in found)
    (provider,) = yaml.safe_load((EXPORTED / "provisioning/dashboards/tokentrail.yaml").read_text("utf-8"))["providers"]
    assert set(provider) <= {"name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates", "options"}
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards/tokentrail"


def test_no_table_scrolls_sideways() -> None:
    for board in BOARDS:
        for panel in (panel for row in board.rows for panel in row.panels if panel.kind is Kind.TABLE):
            query = read(panel.question)
            needed = sum(narrowest(panel, column) for column in shown(panel, query))
            assert needed <= room(panel), f"{board.title}, {panel.title}: {needed} of {room(panel)} pixels: choose columns"
            drawn = panel_json(panel, 1, {})["fieldConfig"]["overrides"]
            fixed = [each["value"] for rule in drawn for each in rule["properties"] if each["id"] == "custom.width"]
            least = [each["value"] for rule in drawn for each in rule["properties"] if each["id"] == "custom.minWidth"]
            assert not least or max(least) * len(least) + sum(fixed) <= room(panel), "Grafana gives those without a width equal parts"


def links(panel: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for override in panel["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            if each["id"] == "links":
                yield from ((override["matcher"]["options"], link["url"]) for link in each["value"])


@pytest.mark.parametrize("tenant", [*TENANTS, "a?b/c#d", "+", "%", "%25", " ", "ü" * 100])
def test_a_name_leads_to_its_own_dashboard_and_the_other_choices_stay(dashboards: Dashboards, tenant: str) -> None:
    (panel,) = (panel for uid, panel in panels(dashboards) if (uid, panel["title"]) == ("tokentrail-tenant", "Tenants"))
    ((column, url),) = links(panel)
    assert column == "name"
    opened = Browser(dashboards["tokentrail-tenant"], 5, 7, values={"tenant": [coded("acme")], "model": [coded("m'1"), coded("")], "step": "week"})
    address = opened.text(url.replace("${__data.fields.name_code:percentencode}", encode_strictly(coded(tenant))))
    split = urlsplit(address)
    target = Browser(dashboards[split.path.removeprefix("/d/")], 0, 0)
    target.open_link(split.query)
    assert split.path == "/d/tokentrail-tenant"
    assert target.values["tenant"] == [coded(tenant)]
    assert (target.values["model"], target.values["service"], target.values["step"]) == ([coded("m'1"), coded("")], [ALL], "week")
    assert "from=5&to=7" in split.query


def test_a_call_leads_to_its_trace_and_back(dashboards: Dashboards) -> None:
    leading = {panel["title"]: url for _, panel in panels(dashboards) for column, url in links(panel) if column == "ts"}
    assert set(leading) == {
        "The latest calls",
        "The calls that took the longest",
        "The calls with the most tokens",
        "The calls that cost the most",
        "Calls of this trace",
    }
    for url in leading.values():
        opened = Browser(dashboards["tokentrail-calls"], 5, 7)
        split = urlsplit(opened.text(url.replace("${__data.fields.trace_id:percentencode}", "00ff")))
        target = Browser(dashboards[split.path.removeprefix("/d/")], 0, 0)
        target.open_link(split.query)
        assert target.values["trace"] == "00ff"
    overrides = {override["matcher"]["options"] for _, panel in panels(dashboards) for override in panel["fieldConfig"]["overrides"]}
    assert "trace_id" in overrides, "the plugin makes the link to Grafana's own view of a column of this name"


@pytest.mark.parametrize("uid", [board.uid for board in BOARDS])
def test_every_link_leads_to_a_dashboard_of_these(dashboards: Dashboards, uid: str) -> None:
    for panel in dashboards[uid]["panels"]:
        for column, url in links(panel) if panel["type"] != "row" else ():
            assert urlsplit(url).path.removeprefix("/d/") in dashboards
            (variable,) = re.findall(r"\?var-(\w+)=\$\{__data\.fields\.(\w+):percentencode\}", url)
            assert f"var-{variable[0]}" not in url.split("&", 1)[1]
            assert f"${{{variable[0]}:" not in url
            shown = [target["rawSql"] for target in panel["targets"]]
            assert any(f" AS {variable[1]}" in sql or f"{variable[1]}" in sql for sql in shown), (column, url)


def test_codes_and_labels_are_unambiguous() -> None:
    names = [*TENANTS, *(f"{a}{b}" for a in ('"', "", "~", "%", "-") for b in ("(none)", '(none)"', "All", "~41ll", "7E", ""))]
    names = [*dict.fromkeys(names)]
    assert len({coded(name) for name in names}) == len({label(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.~-]+", coded(name)) for name in names)
    assert not {coded(name) for name in names} & {"All", ALL, "*", ""}


def test_files_have_no_byte_that_depends_on_the_machine() -> None:
    for path in EXPORTED.rglob("*.json"):
        text = path.read_text("utf-8")
        assert json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n" == text
        assert "/tmp" not in text
