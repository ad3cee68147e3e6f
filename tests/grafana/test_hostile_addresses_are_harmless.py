"""Whatever somebody writes into a dashboard's address by hand stays a text in ClickHouse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.grafana_browser import Browser
from tests.support.grafana_ledger import START_MS, TENANTS
from tests.support.query_path import QueryFailedError, QueryPath
from tokentrail.clickhouse.client import Client

START, END = START_MS - 30 * 86_400_000, START_MS + 86_400_000
WRITTEN = [
    *TENANTS,
    "' OR 1=1 --",
    "\\",
    "\\'",
    "x\\') OR 1=1 --",
    "{x}",
    "}{",
    "%27",
    "~27",
    "~zz",
    "%",
    "$__all",
    "$__toTime",
    "*/ /*",
    "\0",
    "';SELECT 1",
]


def sql_of(dashboards: dict[str, dict[str, Any]], uid: str, title: str) -> str:
    (panel,) = (panel for panel in dashboards[uid]["panels"] if panel["title"] == title)
    sql: str = panel["targets"][0]["rawSql"]
    return sql


def calls(backend: QueryPath, sql: str) -> int:
    (fields,) = backend.frames(sql, output=1, start=START, end=END)
    return sum(sum(field.values) for field in fields if field.name == "calls")


def test_save_and_test_says_yes(backend: QueryPath) -> None:
    assert backend.health() == ("OK", "Data source is working")


@pytest.fixture(scope="module")
def counted(ledger: Client) -> tuple[int, int]:
    """All calls of the ledger, and those of the tenant that has the most."""
    ((everything, most),) = ledger.query("SELECT sum(calls), max(calls) FROM (SELECT sum(calls) AS calls FROM usage GROUP BY tenant_id)").rows
    return everything, most


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("written", WRITTEN)
def test_a_name_written_by_hand_selects_no_other_calls(
    dashboards: dict[str, dict[str, Any]], backend: QueryPath, counted: tuple[int, int], written: str, several: bool
) -> None:
    """A text that is no code selects nothing, or the name that it decodes to; the empty text and All are everything."""
    opened = Browser(dashboards["tokentrail-tenant"], START, END, values={"tenant": [written, "nobody"] if several else written})
    found = calls(backend, opened.query(sql_of(dashboards, "tokentrail-tenant", "Tenants")))
    everything, most = counted
    if written == "$__all" or (not several and written in ("", "*")):
        assert found == everything
    else:
        assert found <= 2 * most < everything


def test_other_variables_are_texts_too(dashboards: dict[str, dict[str, Any]], backend: QueryPath) -> None:
    sql = sql_of(dashboards, "tokentrail-calls", "Calls of this trace")
    opened = Browser(dashboards["tokentrail-calls"], START, END, values={"trace": "') OR 1=1 --"})
    (fields,) = backend.frames(opened.query(sql), output=1, start=START, end=END)
    assert all(field.values == [] for field in fields)
    sql = sql_of(dashboards, "tokentrail-overview", "Calls by ${by}")
    for written in ("provider') OR 1=1 --", "\\", "no_dimension", ""):
        opened = Browser(dashboards["tokentrail-overview"], START, END, values={"by": written})
        (fields,) = backend.frames(opened.query(sql), output=0, start=START, end=END)
        assert [field.labels for field in fields[1:]] == [{"name": "(none)"}], "no dimension has this name: all calls are one line"
    sql = sql_of(dashboards, "tokentrail-overview", "Tokens by provider")
    opened = Browser(dashboards["tokentrail-overview"], START, END, values={"step": "hour', now()) --"})
    assert backend.frames(opened.query(sql), output=0, start=START, end=END)
    opened = Browser(dashboards["tokentrail-overview"], START, END, "UTC'), 1) --")
    with pytest.raises(QueryFailedError, match=r"(?i)time ?zone"):
        backend.frames(opened.query(sql), output=0, start=START, end=END)


def test_grafanas_own_quoting_would_not_be_enough(dashboards: dict[str, dict[str, Any]], backend: QueryPath) -> None:
    """Why variables are not written as most dashboards for ClickHouse write them: a backslash escapes the quote that follows."""
    opened = Browser(dashboards["tokentrail-overview"], START, END, values={"tenant": ["\\' OR 1=1) --"]})
    for quoting in ("sqlstring", "singlequote"):
        quoted = opened.query(f"SELECT count() AS calls FROM usage WHERE (tenant_id IN (${{tenant:{quoting}}}))")
        try:
            assert calls(backend, quoted) > 0, quoted
        except QueryFailedError as failed:
            assert "SYNTAX_ERROR" in str(failed), "the text has left its quotes"  # noqa: PT017


def test_panels_are_asked_by_a_user_that_can_only_read(backend: QueryPath) -> None:
    """All tests of this folder are: no panel and no list needs more."""
    for statement in ("INSERT INTO usage_landing (Body) SELECT 'x'", "SELECT 1 SETTINGS max_threads = 1", "DROP TABLE usage"):
        with pytest.raises(QueryFailedError, match="READONLY"):
            backend.frames(statement, output=1, start=START, end=END)


def test_errors_are_clickhouses(backend: QueryPath) -> None:
    with pytest.raises(QueryFailedError, match=r"^downstream: .*UNKNOWN_IDENTIFIER"):
        backend.frames("SELECT no_such_column FROM usage", output=1, start=START, end=END)
    with pytest.raises(QueryFailedError, match=r"__noSuchMacro"):
        backend.frames("SELECT $__noSuchMacro", output=1, start=START, end=END)
