"""A page can be read on a phone, by keyboard, by a screen reader, in the dark and on paper, and the dashboard renews itself in nobody's way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.ledger_rows import usage
from tests.support.pages import DESKTOP, PHONE, Seen, opened, report_of
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.server import Addresses

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RANGE = ("--from", "2026-11-01", "--to", "2026-11-15")


@pytest.fixture
def addresses(served: Addresses, tmp_path: Path) -> dict[str, str]:
    return {"report": report_of(served.dsn, tmp_path, *RANGE), "dashboard": f"{served.http}/dashboard?from=2026-11-01&to=2026-11-15"}


def open_all(seen: Seen) -> None:
    seen.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["report", "dashboard"])
def test_axe_finds_nothing(browser: Browser, addresses: dict[str, str], kind: str, size: tuple[int, int], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(browser, addresses[kind], size=size, color_scheme=scheme) as seen:
        open_all(seen)
        found = axe.Axe().run(seen.page)
        assert found.violations_count == 0, found.generate_report()
        dark = seen.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] < 100")
        assert dark == (scheme == "dark")


@pytest.mark.parametrize("kind", ["report", "dashboard"])
def test_no_page_is_wider_than_the_screen(browser: Browser, addresses: dict[str, str], kind: str) -> None:
    with opened(browser, addresses[kind]) as seen:
        open_all(seen)
        for width in (320, 360, 390, 640, 641, 768, 1280, 2560):
            seen.page.set_viewport_size({"width": width, "height": 800})
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
            letters = seen.page.locator(".plot .x text").first.evaluate("each => each.getBoundingClientRect().height")
            assert letters >= 9
        assert seen.complaints == []


@pytest.mark.parametrize("kind", ["report", "dashboard"])
def test_the_keyboard_reaches_every_table(browser: Browser, addresses: dict[str, str], kind: str) -> None:
    with opened(browser, addresses[kind]) as seen:
        page = seen.page
        wanted = set(page.locator("main .scroll:visible, main summary").evaluate_all("all => all.map(each => each.id || each.parentElement.id)"))
        reached: set[str] = set()
        for _ in range(200):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.parentElement?.id || ''"))
        assert wanted <= reached
        page.locator("#details-tokens-over-time summary").focus()
        page.keyboard.press("Enter")
        assert page.locator("#tokens-over-time").is_visible()
        assert page.locator("#details-tokens-over-time summary").evaluate("each => getComputedStyle(each).outlineStyle") != "none"


@pytest.mark.parametrize("kind", ["report", "dashboard"])
def test_a_plot_has_a_sentence_and_a_table(browser: Browser, addresses: dict[str, str], kind: str) -> None:
    with opened(browser, addresses[kind]) as seen:
        plots = seen.page.locator("svg.plot")
        assert plots.count() == 4
        for number in range(plots.count()):
            assert plots.nth(number).get_attribute("role") == "img"
            assert len(plots.nth(number).get_attribute("aria-label") or "") > 20
            assert plots.nth(number).locator("xpath=..").locator("table").count() == 1


def test_the_report_needs_nothing_else(browser: Browser, addresses: dict[str, str]) -> None:
    with opened(browser, addresses["report"], offline=True, java_script_enabled=False) as seen:
        assert seen.page.locator("h1").inner_text() == "Tokens spent"
        assert seen.requests == [addresses["report"]]


def test_the_dashboard_works_without_its_script(browser: Browser, addresses: dict[str, str]) -> None:
    with opened(browser, addresses["dashboard"], java_script_enabled=False) as seen:
        seen.page.locator("input[name=from]").fill("2026-11-10")
        with seen.page.expect_navigation():
            seen.page.get_by_role("button", name="show").click()
        assert seen.page.locator(".range").inner_text().startswith("2026-11-10 00:00")


def test_renewing_keeps_what_is_open_scrolled_to_and_reached(browser: Browser, served: Addresses) -> None:
    client = connect(served.dsn)
    try:
        with opened(browser, f"{served.http}/dashboard?from=1h", size=PHONE) as seen:
            page = seen.page
            assert seen.cards()["calls"] == "0"
            page.locator("#details-certainty").evaluate("each => each.open = true")
            page.locator("#scroll-latest").focus()
            page.locator("#scroll-latest").evaluate("each => each.scrollTo(40, 0)")
            client.insert_json("usage_landing", [usage(by="late", seq=1, ts=time.time_ns(), tenant="late", input_tokens=11, output_tokens=3)])
            page.locator(".card:has(dt:text-is('calls')) data[value='1']").wait_for(timeout=20_000)
            assert page.locator("#details-certainty").evaluate("each => each.open")
            assert page.evaluate("document.activeElement.id") == "scroll-latest"
            assert page.locator("#scroll-latest").evaluate("each => each.scrollLeft") > 0
            assert seen.numbers("latest")[0][1] == "late"
            page.locator("#pause").check()
            page.wait_for_timeout(6000)  # a renewal that was under way ends
            asked = len(seen.requests)
            page.wait_for_timeout(6000)
            assert len(seen.requests) == asked
            assert seen.complaints == []
    finally:
        client.close()
