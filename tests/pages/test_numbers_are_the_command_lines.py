"""A number of a page is the number of the command line: the same questions, the same ranges, the same filters."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pages import Seen, opened, report_of
from tests.support.terminal import in_process
from tokentrail.embedded.server import Addresses

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RANGE = ("--from", "2026-11-01", "--to", "2026-11-15")
BEFORE = ("--from", "2026-10-01", "--to", "2026-10-15")
ASKED = ("-p", "from=2026-11-01", "-p", "to=2026-11-15")
DIMENSIONS = {"provider": "provider", "model": "model", "tenant": "tenant_id", "operation": "operation"}


def said(served: Addresses, *arguments: str) -> list[dict[str, Any]]:
    ran = in_process(*arguments, "--dsn", served.dsn, "--json")
    assert ran.code == 0, ran
    rows: list[dict[str, Any]] = json.loads(ran.out, parse_float=Decimal)
    return rows


def assert_equal(seen: Seen, served: Addresses) -> None:
    """The totals, the tables by each dimension and the parts of the page that follow, beside the command line's answers."""
    (whole,) = said(served, "report", "--by", "", *RANGE)
    tokens = whole["input_tokens"] + whole["output_tokens"]
    cards = seen.cards()
    assert (cards["tokens"], cards["input tokens"], cards["output tokens"]) == tuple(
        map(str, (tokens, whole["input_tokens"], whole["output_tokens"]))
    )
    assert (cards["calls"], cards["failed calls"]) == (str(whole["calls"]), str(whole["error_calls"]))
    costs = {row["currency"]: row["cost"] for row in said(served, "report", "--by", "", "--cost", *RANGE) if row["currency"]}
    assert {label: Decimal(value) for label, value in cards.items() if label.startswith("cost")} == {
        f"cost, {name}": cost for name, cost in costs.items()
    }
    assert len(costs) == 2
    for heading, dimension in DIMENSIONS.items():
        rows = said(served, "query", "tokens", *ASKED, "-p", f"by={dimension}")
        money: dict[str, dict[str, Decimal | None]] = {}
        for row in said(served, "query", "cost", *ASKED, "-p", f"by={dimension}"):
            money.setdefault(row["name"], {})[row["currency"]] = row["cost"]
        shown = seen.numbers(f"by-{heading}")
        assert [row[0] for row in shown] == [row["name"] or "(none)" for row in rows]
        for row, (_, _, tokens_shown, *paid, calls, failed) in zip(rows, shown, strict=True):
            assert int(tokens_shown) == (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
            assert (int(calls), int(failed)) == (row["calls"], row["error_calls"])
            assert [Decimal(each) if each else None for each in paid] == [money[row["name"]].get(currency) for currency in sorted(costs)]
    spent: dict[str, int] = {}
    for row in said(served, "query", "tokens_over_time", *ASKED, "-p", "step=day"):
        spent[row["time"][:10]] = spent.get(row["time"][:10], 0) + (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
    assert [sum(map(int, row[1:])) for row in seen.numbers("tokens-over-time")] == [spent[day] for day in sorted(spent)]
    for currency, cost in costs.items():
        paid_by_day: dict[str, Decimal] = {}
        for row in said(served, "query", "cost_over_time", *ASKED, "-p", "step=day"):
            if row["currency"] == currency and row["cost"] is not None:
                paid_by_day[row["time"][:10]] = paid_by_day.get(row["time"][:10], Decimal(0)) + row["cost"]
        shown = seen.numbers(f"cost-over-time-{currency.lower()}")
        assert [sum(map(Decimal, filter(None, row[1:]))) for row in shown] == [paid_by_day[day] for day in sorted(paid_by_day)]
        assert sum(paid_by_day.values()) == cost
    certain = said(served, "query", "certainty", *ASKED)
    assert [list(map(int, row[2:7])) for row in seen.numbers("certainty")] == [
        [row[name] for name in ("calls", "reported_calls", "estimated_calls", "unknown_calls", "estimated_tokens")] for row in certain
    ]
    stated = seen.page.locator("section:has(#certainty) > p data").evaluate_all("all => all.map(each => Number(each.value))")
    assert stated == [sum(row[f"{name}_calls"] for row in certain) for name in ("reported", "estimated", "unknown")]
    cached = said(served, "query", "prompt_cache", *ASKED)
    assert [row[:2] + list(map(int, row[2:5])) for row in seen.numbers("prompt-cache")] == [
        [row[name] for name in ("provider", "model", "calls", "input_tokens", "cache_read_tokens")] for row in cached
    ]
    hours = {(row["weekday"], row["hour"]): row["tokens"] for row in said(served, "query", "hours_of_the_week", *ASKED)}
    found = {(day, hour): int(cell.replace(",", "")) for hour, (_, *cells) in enumerate(seen.numbers("hours")) for day, cell in enumerate(cells, 1)}
    assert {place: tokens for place, tokens in found.items() if tokens} == {place: tokens for place, tokens in hours.items() if tokens}


def test_the_report_says_what_the_command_line_says(browser: Browser, served: Addresses, tmp_path: Path) -> None:
    with opened(browser, report_of(served.dsn, tmp_path, *RANGE)) as seen:
        assert_equal(seen, served)
        dearest = said(served, "query", "dearest_operations", *ASKED, "-p", "most=15")
        assert [(row[0], int(row[5]), int(row[6])) for row in seen.numbers("dearest")] == [
            (r["operation_id"], r["tokens"], r["calls"]) for r in dearest
        ]
        saved = said(served, "query", "response_cache", *ASKED)[:12]
        assert [list(map(int, (row[3], row[4], row[6], row[7]))) for row in seen.numbers("response-cache")] == [
            [row[name] for name in ("calls", "repeated_calls", "saved_input_tokens", "saved_output_tokens")] for row in saved
        ]
        assert saved
        proof = in_process("verify", "--dsn", served.dsn)
        assert "3 writers: 3 complete" in proof.out
        stated = seen.page.locator("section:has(#h-conserved)").inner_text()
        assert "Nothing is missing" in stated
        assert "3 writers sent 1,500 records" in stated


def test_the_dashboard_says_what_the_command_line_says(browser: Browser, served: Addresses) -> None:
    with opened(browser, f"{served.http}/dashboard?from=2026-11-01&to=2026-11-15") as seen:
        assert_equal(seen, served)
        latest = said(served, "query", "latest_calls", *ASKED, "-p", "most=30")
        assert [(row[0], row[6], row[7]) for row in seen.numbers("latest")] == [
            (row["ts"][:19], *("" if row[name] is None else str(row[name]) for name in ("input_tokens", "output_tokens"))) for row in latest
        ]


def test_changes_are_against_the_period_before_of_report_change(browser: Browser, served: Addresses, tmp_path: Path) -> None:
    (now,), (before,) = (said(served, "report", "--by", "", *bounds) for bounds in (RANGE, BEFORE))
    with opened(browser, report_of(served.dsn, tmp_path, *RANGE)) as seen:
        shown = seen.page.locator(".card:has(dt:text-is('calls')) .change")
        rise = 100 * (now["calls"] - before["calls"]) / before["calls"]
        assert shown.inner_text() == f"{'▲' if rise > 0 else '▼'} {abs(rise):.1f} %"
        assert shown.get_attribute("title") == f"before: {before['calls']:,}"
        (compared,) = said(served, "report", "--by", "", "--change", *RANGE)
        assert seen.page.locator(".card:has(dt:text-is('tokens')) .change").get_attribute("title") == f"before: {compared['tokens_before']:,}"


def test_the_report_takes_the_filters_of_the_command(browser: Browser, served: Addresses, tmp_path: Path) -> None:
    chosen = ("--tenant", "acme", "--where", "ended=complete", "--timezone", "Asia/Kolkata")
    (whole,) = said(served, "report", "--by", "", *RANGE, *chosen)
    with opened(browser, report_of(served.dsn, tmp_path, *RANGE, *chosen)) as seen:
        assert seen.cards()["calls"] == str(whole["calls"])
        assert "days and hours of Asia/Kolkata" in seen.page.locator(".range").inner_text()


def test_an_operation_outside_the_vocabulary_is_chosen_as_it_is_shown(browser: Browser, hostile: Addresses) -> None:
    with opened(browser, f"{hostile.http}/dashboard") as seen:
        (row,) = (row for row in seen.numbers("by-operation") if row[0] == "unknown")
        with seen.page.expect_navigation():
            seen.page.locator("#by-operation a", has_text="unknown").click()
        assert seen.cards()["calls"] == row[-2]


@pytest.mark.parametrize("parameter", ["providers", "models", "tenants", "operations"])
def test_a_filter_shows_some_calls_only(browser: Browser, served: Addresses, parameter: str) -> None:
    with opened(browser, f"{served.http}/dashboard?from=2026-11-01&to=2026-11-15") as seen:
        page = seen.page
        chosen = page.locator(f"select[name={parameter}] option").nth(2).get_attribute("value")
        assert chosen is not None
        with page.expect_navigation():
            page.locator(f"select[name={parameter}]").select_option(chosen)
        rows = said(served, "query", "tokens", *ASKED, "-p", f"{parameter}={chosen[1:]}")
        assert seen.cards()["calls"] == str(sum(row["calls"] for row in rows))
        assert page.locator(f"select[name={parameter}]").input_value() == chosen
        assert seen.complaints == []


def test_the_empty_name_can_be_chosen(browser: Browser, served: Addresses) -> None:
    with opened(browser, f"{served.http}/dashboard?from=all") as seen:
        with seen.page.expect_navigation():
            seen.page.locator("#by-tenant a", has_text="(none)").click()
        rows = said(served, "query", "tokens", "-p", "tenants=")
        assert seen.cards()["calls"] == str(sum(row["calls"] for row in rows))
