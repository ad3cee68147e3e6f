"""What a page writes of a number: the direction of a change, an amount that is not nothing, and the colour of an hour."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from decimal import Decimal
from importlib import resources

import pytest

from tokentrail.pages.documents import policy
from tokentrail.pages.facts import step_of
from tokentrail.pages.figures import change, compact, grouped, money, share
from tokentrail.pages.heat import LEVELS, heat_map


@pytest.mark.parametrize(
    ("now", "before", "written"),
    [(150, 100, "▲ 50.0 %"), (50, 100, "▼ 50.0 %"), (100, 100, "unchanged"), (5, 0, "none before"), (0, 0, ""), (5, None, ""), (None, 5, "")],
)
def test_a_change_has_its_direction(now: int | None, before: int | None, written: str) -> None:
    assert change(now, before) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (None, "-"),
        ("0", "0.0000"),
        ("0.00009", "< 0.0001"),
        ("-0.00009", "> -0.0001"),
        ("0.0001", "0.0001"),
        ("99.99995", "100.0000"),
        ("100", "100.00"),
        ("1234.5", "1,234.50"),
    ],
)
def test_an_amount_is_never_shown_as_nothing(amount: str | None, written: str) -> None:
    assert money(None if amount is None else Decimal(amount)) == written


def test_what_is_not_stated_is_a_dash_and_no_nought() -> None:
    assert (grouped(None), share(None), grouped(0), share(0), share(0.0009), share(0.001), share(1)) == (
        "-",
        "-",
        "0",
        "0.0 %",
        "< 0.1 %",
        "0.1 %",
        "100.0 %",
    )
    assert (compact(999), compact(1000), compact(12_345_678)) == ("999", "1 k", "12.3 M")


def test_an_hour_has_its_own_cell_and_the_highest_the_darkest_colour() -> None:
    heat = heat_map([{"weekday": 1, "hour": 0, "tokens": 1}, {"weekday": 7, "hour": 23, "tokens": 700}, {"weekday": 3, "hour": 12, "tokens": None}])
    cells = {(day, hour): cell for day, hours in heat.rows for hour, cell in enumerate(hours) if cell != (0, 0)}
    assert cells == {("Mon", 0): (1, 1), ("Sun", 23): (700, LEVELS)}
    assert (heat.highest, heat.busiest) == (700, "Sun, 23:00")
    assert (heat_map([]).highest, heat_map([]).busiest) == (0, "")


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(days=3), "hour"),
        (timedelta(days=3, seconds=1), "day"),
        (timedelta(days=92), "day"),
        (timedelta(days=93), "week"),
        (timedelta(weeks=93), "month"),
    ],
)
def test_a_plot_has_no_more_steps_than_can_be_seen(length: timedelta, step: str) -> None:
    assert step_of(length) == step


@pytest.mark.parametrize("live", [False, True])
def test_a_policy_allows_what_the_page_holds_by_its_hash_and_nothing_else(*, live: bool) -> None:
    def hashed(name: str) -> str:
        text = (resources.files("tokentrail.pages") / "templates" / name).read_bytes()
        return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"

    expected = {"default-src": "'none'", "style-src": hashed("page.css"), "base-uri": "'none'", "form-action": "'self'" if live else "'none'"}
    if live:
        expected |= {"script-src": hashed("dashboard.js"), "connect-src": "'self'", "frame-ancestors": "'none'"}
    assert dict(rule.split(" ", 1) for rule in policy(live=live).split("; ")) == expected
