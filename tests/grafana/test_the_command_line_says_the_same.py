"""The words of the command line itself, for a range, a zone and hostile names: `tokentrail query` and `report` print what panels show."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.grafana_browser import Browser
from tests.support.grafana_ledger import START_MS
from tests.support.query_path import QueryPath
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.embedded.server import Addresses
from tokentrail.grafana.expressions import coded

START, END = START_MS - 2 * 86_400_000 + 1, START_MS - 1
CHOSEN = ["", "o'hara \\ söhne", "a,b", "日本 \U0001f600", "line\nbreak\ttab", "All"]


def printed(*words: str) -> list[dict[str, Any]]:
    said = CliRunner().invoke(cli, [*words])
    assert said.exit_code == 0, said.output
    rows: list[dict[str, Any]] = json.loads(said.stdout)
    return rows


def moment(milliseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)).isoformat()


def shown(dashboards: dict[str, dict[str, Any]], backend: QueryPath, uid: str, title: str, zone: str = "utc") -> list[dict[str, Any]]:
    dashboard = dashboards[uid]
    (panel,) = (panel for panel in dashboard["panels"] if panel["title"] == title)
    opened = Browser(dashboard, START, END, zone, {"tenant": [coded(name) for name in CHOSEN]})
    (fields,) = backend.frames(opened.query(panel["targets"][0]["rawSql"]), output=1, start=START, end=END)
    return [{field.name: field.values[place] for field in fields} for place in range(len(fields[0].values))]


@pytest.mark.parametrize(
    ("uid", "title", "words"),
    [
        ("tokentrail-tenant", "Tenants", ["tokens", "-p", "by=tenant_id"]),
        ("tokentrail-overview", "Tokens and calls", ["tokens", "-p", "by=total"]),
        ("tokentrail-overview", "Most tokens: models", ["tokens", "-p", "by=model"]),
        ("tokentrail-provider", "What fails", ["errors"]),
        ("tokentrail-provider", "What failed, cut and repeated calls cost", ["losses"]),
        ("tokentrail-provider", "Caches by model", ["prompt_cache"]),
        ("tokentrail-truth", "By model", ["certainty"]),
        ("tokentrail-calls", "The calls with the most tokens", ["largest_calls"]),
    ],
)
def test_a_question_and_its_panel(
    dashboards: dict[str, dict[str, Any]], backend: QueryPath, server: Addresses, ledger: Client, uid: str, title: str, words: list[str]
) -> None:
    given = ["-p", f"from={moment(START)}", "-p", f"to={moment(END)}", *(word for name in CHOSEN for word in ("-p", f"tenants={name}"))]
    wanted = printed("query", *words, *given, "--json", "--dsn", server.dsn)
    found = shown(dashboards, backend, uid, title, "Asia/Kathmandu")
    assert len(found) == len(wanted) > 0
    counts = [column for column in wanted[0] if column in found[0] and ("calls" in column or "tokens" in column)]
    assert counts
    for one, other in zip(found, wanted, strict=True):
        assert [one[column] for column in counts] == [other[column] for column in counts]


def test_a_week_by_weekday_and_hour(dashboards: dict[str, dict[str, Any]], backend: QueryPath, server: Addresses, ledger: Client) -> None:
    given = ["-p", f"from={moment(START)}", "-p", f"to={moment(END)}", *(word for name in CHOSEN for word in ("-p", f"tenants={name}"))]
    wanted = printed("query", "hours_of_the_week", "-p", "timezone=Asia/Kathmandu", *given, "--json", "--dsn", server.dsn)
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    found = shown(dashboards, backend, "tokentrail-overview", "When tokens are spent", "Asia/Kathmandu")
    cells = {(row["day"], hour): row[hour] for row in found for hour in row if hour != "day" and row[hour] is not None}
    assert cells == {(days[row["weekday"] - 1], f"{row['hour']:02d}"): row["tokens"] for row in wanted if row["tokens"] is not None}
    assert cells


def test_an_operation_may_be_called_by_its_constant(
    dashboards: dict[str, dict[str, Any]], backend: QueryPath, server: Addresses, ledger: Client
) -> None:
    (panel,) = (panel for panel in dashboards["tokentrail-tenant"]["panels"] if panel["title"] == "Tenants")

    def tokens(operation: str) -> list[Any]:
        opened = Browser(dashboards["tokentrail-tenant"], START, END, values={"operation": [operation]})
        (fields,) = backend.frames(opened.query(panel["targets"][0]["rawSql"]), output=1, start=START, end=END)
        return [field.values for field in fields]

    assert tokens("OPERATION_CHAT") == tokens("chat") != tokens("OPERATION_QUERY")
    asked = ["report", "--from", moment(START), "--to", moment(END), "--by", "tenant_id", "--json", "--dsn", server.dsn]
    assert printed(*asked, "--operation", "OPERATION_CHAT") == printed(*asked, "--operation", "chat")


def test_a_report_and_its_panels(dashboards: dict[str, dict[str, Any]], backend: QueryPath, server: Addresses, ledger: Client) -> None:
    given = ["--from", moment(START), "--to", moment(END), *(word for name in CHOSEN for word in ("--tenant", name)), "--json", "--dsn", server.dsn]
    by_tenant = {row["tenant_id"]: row for row in printed("report", "--by", "tenant_id", *given)}
    panel = {row["name"]: row for row in shown(dashboards, backend, "tokentrail-tenant", "Tenants")}
    assert panel.keys() == by_tenant.keys() == set(CHOSEN)
    for name, row in panel.items():
        for column in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "calls", "estimated_calls"):
            assert row[column] == by_tenant[name][column], (name, column)
    (total,) = printed("report", "--by", "", *given)
    (numbers,) = shown(dashboards, backend, "tokentrail-overview", "Tokens and calls")
    assert (numbers["input_tokens"], numbers["output_tokens"], numbers["calls"]) == (total["input_tokens"], total["output_tokens"], total["calls"])
    money = {row["currency"]: row for row in printed("report", "--by", "", "--cost", *given)}
    cost = {row["currency"]: row["cost"] for row in shown(dashboards, backend, "tokentrail-overview", "Cost")}
    assert cost.keys() == money.keys()
    for currency, amount in cost.items():
        assert amount == (None if money[currency]["cost"] is None else pytest.approx(float(money[currency]["cost"]), rel=1e-12))
