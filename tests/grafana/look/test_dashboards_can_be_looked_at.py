"""The page draws dashboards as Grafana does: numbers, units, names, no-data texts; what is broken is said; what is hostile is text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.grafana_look import MAX_BYTES, Look, Looked, looking

pytestmark = pytest.mark.slow

SAMPLE: dict[str, Any] = json.loads(Path(__file__).with_name("sample.json").read_text("utf-8"))
START = datetime(2026, 11, 1, tzinfo=timezone.utc)
END = START + timedelta(hours=12)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "\"'`;</td></svg><svg onload=alert(3)>",
    "javascript:alert(4)",
    "[click](javascript:alert(5))",
    '=HYPERLINK("http://evil.invalid")',
    "${__user.login} $tenant {{x}}",
    "Ünïcode 日本 \u202e\u0000",
]
"""Names that harm what takes them for anything but text. How the empty name is shown is each panel's own matter."""


@pytest.fixture(scope="module")
def look() -> Iterator[Look]:
    with looking() as look:
        yield look


def frame(**columns: tuple[str, list[Any]] | tuple[str, list[Any], dict[str, str]]) -> dict[str, Any]:
    """A data frame as Grafana sends it: name=(type, values[, labels])."""
    fields = [{"name": name, "type": column[0], **({"labels": column[2]} if len(column) > 2 else {})} for name, column in columns.items()]
    return {"schema": {"refId": "A", "fields": fields}, "data": {"values": [column[1] for column in columns.values()]}}


def answer(*frames: dict[str, Any], error: str = "") -> dict[str, Any]:
    return {"results": {"A": {"status": 500, "error": error} if error else {"status": 200, "frames": list(frames)}}}


def hours() -> list[int]:
    return [int((START + timedelta(hours=hour)).timestamp() * 1000) for hour in range(12)]


def answers(tenants: list[str]) -> dict[int, dict[str, Any]]:
    over_time = [1000 * (hour + 1) for hour in range(12)]
    tokens = [5_000_000 // (place + 1) for place in range(len(tenants))]
    cost = [round(count * 0.0000031, 6) for count in tokens]
    series = frame(time=("time", hours()), openai=("number", over_time), anthropic=("number", [500] * 12))
    return {
        1: answer(frame(time=("time", hours()), tokens=("number", over_time))),
        2: answer(frame(errors=("number", []))),
        3: answer(frame(tenant=("string", tenants), tokens=("number", tokens))),
        4: answer(series),
        5: answer(frame(tenant=("string", tenants), tokens=("number", tokens), cost=("number", cost))),
        8: answer(frame()),
    }


def drawn(look: Look, tenants: list[str], *, dashboard: dict[str, Any] = SAMPLE, theme: str = "light", **changed: dict[str, Any]) -> Looked:
    given = answers(tenants) | {int(panel.removeprefix("panel_")): one for panel, one in changed.items()}
    variables = {"provider": ["openai", "anthropic"], "tenant": tenants or ["$__all"]}
    return look.draw(dashboard, given, start=START, end=END, theme=theme, variables=variables, time_text=("now-12h", "now"))


def changed(panel: int, **parts: Any) -> dict[str, Any]:
    """The sample with some parts of one panel replaced."""
    dashboard = deepcopy(SAMPLE)
    next(one for one in dashboard["panels"] if one["id"] == panel).update(parts)
    return dashboard


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panels_show_their_numbers_with_units_and_names(look: Look, theme: str, tmp_path: Path) -> None:
    looked = drawn(look, ["acme", "globex"], theme=theme)
    assert looked.complaints == []
    assert {panel.title: (panel.error, panel.faults) for panel in looked.panels if panel.error or panel.faults} == {}
    assert [panel.text.split() for panel in looked.panels] == [
        ["Tokens", "78.00", "K"],
        ["Errors", "No", "calls", "in", "this", "range"],
        ["Tokens", "by", "tenant", "acme", "5", "Mil", "globex", "2.50", "Mil"],
        [
            "Tokens",
            "over",
            "time",
            "of",
            "openai",
            "+",
            "anthropic",
            "Series",
            "color",
            "Name",
            "Total",
            "Max",
            "openai",
            "78",
            "K",
            "12",
            "K",
            "anthropic",
            "6",
            "K",
            "500",
        ],
        ["Tenants", "Tenant", "Tokens", "Cost", "acme", "5,000,000", "$15.5000", "globex", "2,500,000", "$7.7500"],
        ["Reading", "Tokens", "of", "acme,", "globex."],
        ["Nothing", "yet", "No", "estimates"],
    ]
    picture = tmp_path / "sample.png"
    look.screenshot(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < MAX_BYTES


def test_links_lead_where_the_row_says(look: Look) -> None:
    looked = drawn(look, ["acme", "a&b=c"])
    milliseconds = f"from={int(START.timestamp() * 1000)}&to={int(END.timestamp() * 1000)}"
    # Grafana decodes every link once it is put together: only values that need no encoding arrive whole
    assert looked.panel("Tenants").links == (f"/d/tenant?var-tenant=acme&{milliseconds}", f"/d/tenant?var-tenant=a&b=c&{milliseconds}")


def test_hidden_columns_are_not_shown(look: Look) -> None:
    for name in ("custom.hidden", "custom.hideFrom"):
        value = True if name == "custom.hidden" else {"viz": True, "legend": False, "tooltip": False}
        hides = {"matcher": {"id": "byName", "options": "cost"}, "properties": [{"id": name, "value": value}]}
        looked = drawn(look, ["acme"], dashboard=changed(5, transformations=[], fieldConfig={"defaults": {}, "overrides": [hides]}))
        assert looked.panel("Tenants").text.split() == ["Tenants", "tenant", "tokens", "acme", "5000000"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_hostile_names_are_text_and_run_nothing(look: Look, theme: str) -> None:
    series = frame(time=("time", hours()), **{f"s{place}": ("number", [1] * 12) for place in range(len(HOSTILE))})
    for described, name in zip(series["schema"]["fields"][1:], HOSTILE, strict=True):
        described["config"] = {"displayNameFromDS": name}
    looked = drawn(look, HOSTILE, theme=theme, panel_4=answer(series))
    assert looked.complaints == []
    for panel in looked.panels[2:5]:
        assert [name for name in HOSTILE if name not in panel.text] == [], panel.title
    assert look.evaluate("document.querySelectorAll('main img, main script, main iframe, main object, main [onload], main [onerror]').length") == 0
    assert all(link.startswith("/d/tenant?var-tenant=") for link in looked.panel("Tenants").links)
    # a text panel makes links of what looks like addresses in its variables, and leaves out those that would run
    assert [link for link in looked.panel("Reading").links if link and not link.startswith("http")] == []


def test_what_is_broken_is_said(look: Look) -> None:
    looked = drawn(look, ["acme"], panel_4=answer(error="Code: 47. Unknown identifier"))
    assert next(panel for panel in looked.panels if panel.id == 4).error == "Code: 47. Unknown identifier"
    dashboard = changed(5, transformations=[{"id": "no_such", "options": {}}])
    assert any("unknown transformation no_such" in fault for fault in drawn(look, ["acme"], dashboard=dashboard).panel("Tenants").faults)
    overrides = [
        {
            "matcher": {"id": "byName", "options": "Tokenz"},
            "properties": [{"id": "unit", "value": "tokenz"}, {"id": "custom.colour", "value": "red"}],
        },
        {"matcher": {"id": "byNaem", "options": "x"}, "properties": []},
    ]
    dashboard = changed(5, fieldConfig={"defaults": {"unit": "shrot"}, "overrides": overrides})
    assert drawn(look, ["acme"], dashboard=dashboard).panel("Tenants").faults == (
        "unknown unit shrot",
        "the override for Tokenz matches none of Tenant, Tokens, Cost",
        "unknown unit tokenz",
        "unknown option custom.colour",
        "unknown matcher byNaem",
    )
    dashboard = changed(
        1, title="A title that is much too long for a panel of this width, and so is cut", options={"reduceOptions": {"calcs": ["summ"]}}
    )
    assert drawn(look, ["acme"], dashboard=dashboard).panels[0].faults == ("unknown calculation summ", "the title is cut")
    dashboard = changed(2, targets=[{"refId": "B"}])
    assert drawn(look, ["acme"], dashboard=dashboard).panel("Errors").error == "no answer for query B"
