"""Whatever a tenant, a model or an operation is called: a page shows the name, and nothing of it is run, loaded or hidden."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages.hostile import HOSTILE
from tests.support.embedded import ask
from tests.support.pages import PHONE, Seen, opened, report_of
from tokentrail.embedded.server import Addresses
from tokentrail.pages.figures import LONGEST_NAME, name

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHOWN = {
    "": "(none)",
    "a\u202eb\u2066c": r"a\u{202e}b\u{2066}c",
    "\u200b": r"\u{200b}",
    "\x00\x07\n\t\x1b[31m": r"\u{0}\u{7}\u{a}\u{9}\u{1b}[31m",
    "x" * 10_000: "x" * LONGEST_NAME + "… (10,000 characters)",
}
"""Names that are shown otherwise than they are: what is invisible or turns the order of others is spelt."""


def assert_harmless(seen: Seen, *, scripts: int) -> None:
    page = seen.page
    for table in ("by-provider", "by-model", "by-tenant"):
        shown = {row[0] for row in seen.numbers(table)}
        assert shown <= {SHOWN.get(each, each) for each in HOSTILE} | {f"{len(HOSTILE) - 12} further {table[3:]}s"}
        assert len(shown) == 13
    assert page.locator("script").count() == scripts
    assert page.locator("img, iframe, object, embed, link, [style], [onload], [onerror], main style").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0
    assert page.title() != "owned"
    assert seen.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_report_runs_nothing_at_all(browser: Browser, hostile: Addresses, tmp_path: Path) -> None:
    address = report_of(hostile.dsn, tmp_path)
    with opened(browser, address, size=PHONE) as seen:
        assert_harmless(seen, scripts=0)
        assert seen.requests == [address]
        seen.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_the_dashboard_runs_its_own_script_only(browser: Browser, hostile: Addresses) -> None:
    with opened(browser, f"{hostile.http}/dashboard", size=PHONE) as seen:
        seen.page.locator("#conserved section").wait_for()
        assert_harmless(seen, scripts=1)
        assert {address.removeprefix(hostile.http).partition("?")[0] for address in seen.requests} <= {
            "/dashboard",
            "/dashboard/now",
            "/dashboard/parts",
            "/dashboard/verify",
            "/favicon.ico",
        }


def test_every_hostile_name_can_be_chosen(browser: Browser, hostile: Addresses) -> None:
    with opened(browser, f"{hostile.http}/dashboard") as seen:
        values = seen.page.locator("select[name=tenants] option").evaluate_all("all => all.map(each => each.value)")
        assert set(values) == {"", *(f"={name.replace(chr(0), chr(0xFFFD))}" for name in HOSTILE)}  # browsers replace this one sign everywhere
        with seen.page.expect_navigation():
            seen.page.locator("select[name=tenants]").select_option(f"={HOSTILE[2]}")
        assert seen.cards()["calls"] == "1"
        assert [row[0] for row in seen.numbers("by-tenant")] == [HOSTILE[2]]
        assert seen.complaints == []
    for each in HOSTILE:
        part = ask(hostile.http, "GET", "/dashboard/now", tenants=f"={each}")
        assert '<dt>calls</dt><dd><data value="1">' in part.text, each[:20]


@pytest.mark.parametrize(
    "address", ["/dashboard?tenants=%3D%3Cscript%3Ealert(1)%3C/script%3E", "/dashboard?from=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"]
)
def test_an_address_is_text_too(browser: Browser, hostile: Addresses, address: str) -> None:
    with opened(browser, f"{hostile.http}{address}") as seen:
        assert [each for each in seen.complaints if "400" not in each] == []
        assert "<script>alert" not in seen.page.content()


def test_a_script_cannot_come_from_clickhouses_interface(browser: Browser, hostile: Addresses) -> None:
    with opened(browser, f"{hostile.http}/dashboard") as seen:
        seen.page.evaluate(
            """() => new Promise(done => {
                const script = document.createElement("script");
                script.src = "/?query=SELECT+'document.title%3D1'&default_format=TSVRaw";
                script.onload = script.onerror = done;
                document.body.append(script);
            })"""
        )
        assert seen.page.title() != "1"
        assert any("Content Security Policy" in complaint for complaint in seen.complaints)
    assert "'self'" not in ask(hostile.http, "GET", "/dashboard").headers["content-security-policy"].split("script-src")[1].split(";")[0]


def test_names_with_joined_signs_stay_as_they_are() -> None:
    for each in ("👩‍👩‍👧", "می‌خواهم", "Ünï-çødé", "Δοκιμή"):
        assert name(each) == each
