"""A bill and the ledger are compared by interval, provider, model, and as much more as both know; what differs beyond the tolerance is a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.bills import DAY, MODEL, NOW, by_day, calls, line
from tests.support.ledger_rows import Land
from tokentrail.bills.line import BillLine
from tokentrail.bills.registry import reader_named
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.rollup import refresh
from tokentrail.prices.files import parse as prices
from tokentrail.prices.store import load
from tokentrail.reconciling.cells import Range
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.finding import Figure
from tokentrail.reconciling.models import Models, bare
from tokentrail.reconciling.rounds import Outcome, reconcile_bill, report_without_lines
from tokentrail.reconciling.tolerance import parse

Compare = Callable[..., Outcome]


@pytest.fixture
def compare(database: Client) -> Compare:
    def run(lines: Iterable[BillLine], *, sides: Sides | None = None, tolerance: str = "", wanted: Range | None = None) -> Outcome:
        return reconcile_bill(database, lines, sides or Sides(), parse(tolerance), wanted or Range(), now=NOW)

    return run


def differences(outcome: Outcome) -> dict[str, dict[str, int | Decimal]]:
    """What differs, by place and measure."""
    return {known.finding.place.title: {figure.measure: figure.difference for figure in known.finding.figures} for known in outcome.open}


def test_what_agrees_is_no_finding(compare: Compare, land: Land) -> None:
    land(*calls(3), *calls(2, day=1, first=10))
    outcome = compare(by_day([3, 2]))
    assert not outcome.known
    assert outcome.cells == 2


def test_each_measure_that_differs_is_told_with_both_figures(compare: Compare, land: Land) -> None:
    land(*calls(3))
    outcome = compare([line(5)])
    assert differences(outcome) == {f"2026-11-18 openai {MODEL}": {"input_tokens": 20, "output_tokens": 10, "requests": 2}}
    figure = outcome.open[0].finding.figure("input_tokens")
    assert figure is not None
    assert (figure.stated, figure.counted) == (50, 30)


def test_lines_of_hours_and_keys_are_summed_to_the_day(compare: Compare, land: Land) -> None:
    land(*calls(24))
    hours = [line(1, hours=(hour, hour + 1), api_key=f"key_{hour % 3}") for hour in range(24)]
    outcome = compare(hours)
    assert not outcome.known
    assert outcome.cells == 1
    assert outcome.remarks == ["openai-usage openai: the ledger does not know the bill's keys, all are compared as one (--key-in)"]


def test_days_and_models_that_only_the_ledger_has_are_findings(compare: Compare, land: Land) -> None:
    land(*calls(1), *calls(2, day=1, first=10), *calls(1, day=2, first=20), *calls(1, first=30, model="o3"))
    assert differences(compare([line(1), line(1, day=2)])) == {
        "2026-11-18 openai o3": {"input_tokens": -10, "output_tokens": -5, "requests": -1},
        f"2026-11-19 openai {MODEL}": {"input_tokens": -20, "output_tokens": -10, "requests": -2},
    }


def test_other_providers_and_days_outside_are_no_matter(compare: Compare, land: Land) -> None:
    land(*calls(1), *calls(4, first=10, more={"provider": "anthropic"}), *calls(4, day=5, first=20))
    wanted = Range(DAY, DAY + timedelta(days=1))
    outcome = compare([line(1), line(9, day=3)], wanted=wanted)
    assert not outcome.known
    assert outcome.remarks == ["1 line of the bill outside the range, or without an interval, left out"]


def test_a_saved_report_tells_of_nothing_after_its_last_line(compare: Compare, land: Land) -> None:
    land(*calls(1), *calls(2, day=1, first=10), *calls(4, day=3, first=20))
    lines = [line(1), line(7, day=2, provider="groq")]
    titles = [known.finding.place.title for known in compare(lines, wanted=Range(as_stated=True, until=NOW)).open]
    assert titles == [f"2026-11-19 openai {MODEL}", f"2026-11-20 groq {MODEL}"], "the days of one report are those of all its lines"


def test_keys_and_projects_are_compared_where_the_ledger_knows_them(compare: Compare, land: Land) -> None:
    of = {"a": {"metadata": '{"key": "alpha"}'}, "b": {"metadata": '{"key": "beta"}'}}
    land(*calls(3, more=of["a"]), *calls(1, first=10, more=of["b"]))
    lines = [line(2, api_key="key_a", project="p"), line(2, api_key="key_b", project="p")]
    sides = Sides(project="service_name", api_key="metadata.key", names={"p": "shop", "key_a": "alpha", "key_b": "beta"})
    assert differences(compare(lines, sides=sides)) == {
        f"2026-11-18 openai {MODEL} project p key key_a": {"input_tokens": -10, "output_tokens": -5, "requests": -1},
        f"2026-11-18 openai {MODEL} project p key key_b": {"input_tokens": 10, "output_tokens": 5, "requests": 1},
    }


def test_only_the_usages_that_the_bill_is_about(compare: Compare, land: Land) -> None:
    land(*calls(2, tenant="ours"), *calls(3, first=10, tenant="theirs"))
    assert not compare([line(2)], sides=Sides(where=["tenant_id=ours"])).known


def test_a_model_has_several_names(compare: Compare, land: Land) -> None:
    land(*calls(2, more={"request_model": "gpt-4o-mini", "response_model": MODEL}))
    assert not compare([line(2, model="openai/gpt-4o-mini")]).known


def test_models_are_found_by_the_name_that_answered_then_by_what_names_have_in_common() -> None:
    both = Models(["gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "claude-sonnet-4-20250514", "o3"])
    assert both.of("gpt-4o", "gpt-4o-2024-11-20") == "gpt-4o-2024-11-20"
    assert both.of("gpt-4o", "") == "gpt-4o", "which of two nobody knows"
    assert both.of("claude-sonnet-4", "") == "claude-sonnet-4-20250514"
    assert both.of("o3-mini", "") == "o3-mini"
    assert both.of("GPT-4o-2024-08-06", "") == "gpt-4o-2024-08-06"
    assert Models([]).of("gpt-4o", "") == ""
    assert [bare(name) for name in ("models/gemini-1.5-pro-002", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "gpt-4-0613", "o1-latest")] == [
        "gemini-1.5-pro",
        "anthropic.claude-3-5-sonnet",
        "gpt-4",
        "o1",
    ]


@pytest.mark.parametrize(
    ("tolerance", "allowed"),
    [
        ("", False),
        ("9", False),
        ("10", True),
        ("9.9%", False),
        ("10%", True),
        ("1,10%", True),
        ("100,1%", True),
        ("10USD", False),
        ("10 of money", False),
    ],
)
def test_the_tolerance_is_absolute_or_relative_whichever_allows_more(tolerance: str, allowed: bool) -> None:
    assert parse(tolerance).allows(Figure("input_tokens", Decimal(100), Decimal(90))) is allowed
    assert parse(tolerance).allows(Figure("input_tokens", Decimal(100), Decimal(110))) is allowed


@pytest.mark.parametrize("text", ["much", "100%", "-1", "1e9", "0.1 %%", "0.01 usd", "1,,x", "NaN"])
def test_a_tolerance_that_is_none_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"tolerance|allows everything"):
        parse(text)


def test_money_is_compared_in_the_bills_currency_and_not_where_there_is_no_price(compare: Compare, land: Land, database: Client) -> None:
    land(*calls(1000), *calls(1, first=2000, model="unpriced"))
    load(database, prices(f'[[price]]\nprovider = "openai"\nmodel = "{MODEL}"\ninput = "1"\noutput = "4"\n'))
    costs = [line(cost="0.03", source="openai-costs"), line(cost="1", source="openai-costs", model="unpriced")]
    outcome = compare(costs)
    assert not outcome.known
    assert outcome.remarks == ["USD: 1 cell of the ledger without a price in this currency cannot be compared (tokentrail prices update)"]
    found = differences(compare([line(cost="0.04", source="openai-costs"), costs[1]]))
    assert found == {f"2026-11-18 openai {MODEL}": {"cost USD": Decimal("0.01")}}


def test_a_cell_that_no_price_lets_compare_is_not_said_to_be_compared(compare: Compare, land: Land, database: Client) -> None:
    land(*calls(1000))
    load(database, prices(f'[[price]]\nprovider = "openai"\nmodel = "{MODEL}"\ninput = "1"\noutput = "4"\n'))
    outcome = compare([line(cost="7", currency="EUR", source="csv")])
    assert (outcome.cells, outcome.known) == (0, [])
    assert "(tokentrail prices load: a list in EUR)" in outcome.remarks[0]
    outcome = compare([line(cost="7", currency="", source="csv")])
    assert outcome.remarks == ["the bill has a cost without a currency: 1 cell of the ledger cannot be compared"]


def test_a_figure_is_the_same_in_every_round_whatever_its_digits(compare: Compare, land: Land, database: Client) -> None:
    land(*calls(1000))
    load(database, prices(f'[[price]]\nprovider = "openai"\nmodel = "{MODEL}"\ninput = "1"\noutput = "4"\n'))
    costs = [line(cost=text, source="csv") for text in ("900000000000000.123456789012345678901234567890", "-0.0000000000000000004")]
    (known,) = compare(costs).open
    assert known.finding.figures[0].difference == Decimal("900000000000000.093456789012345679")
    assert compare(costs).written == 0
    assert not compare([line(cost="0.0300000000000000000001", source="csv")]).open, "no ledger holds so small a part"


def test_a_charge_of_no_model_is_a_finding_with_its_item(compare: Compare, land: Land) -> None:
    land(*calls(1))
    outcome = compare([line(cost="0", source="openai-costs"), line(cost="5", source="openai-costs", model="", item="web search tool calls")])
    (known,) = outcome.open
    assert known.finding.explanations[0] == "a charge that names no model (web search tool calls): the ledger counts tokens alone"


def test_intervals_of_other_zones_are_compared_as_they_are(compare: Compare, land: Land) -> None:
    """Days from 8 to 8 UTC, and a call at 4 o'clock of the next one."""
    land(*calls(2), *calls(1, day=1, hour=4, first=10), *calls(1, day=1, hour=9, first=20))
    assert not compare([line(3, hours=(8, 32)), line(1, day=1, hours=(8, 32))]).known


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [(0, 1, ["2026-11-18 08:00 to 2026-11-19 08:00"]), (1, 2, ["2026-11-19 08:00 to 2026-11-20 08:00"]), (2, 3, []), (-1, 0, [])],
)
def test_a_day_of_another_zone_is_in_the_range_with_which_it_has_most_in_common(compare: Compare, first: int, last: int, found: list[str]) -> None:
    lines = [line(3, hours=(8, 32)), line(5, day=1, hours=(8, 32))]
    wanted = Range(DAY + timedelta(days=first), DAY + timedelta(days=last), over=NOW)
    assert [known.finding.place.interval for known in compare(lines, wanted=wanted).open] == found
    assert not compare(lines, wanted=Range(over=DAY)).known, "none of them is over"


def test_two_accounts_have_findings_of_their_own(compare: Compare, land: Land) -> None:
    """Two containers, each with the key of one organization: neither says that the other one's differences are gone."""
    land(*calls(3, tenant="ours"), *calls(4, first=10, tenant="theirs"))
    (ours,) = compare([line(5)], sides=Sides(where=["tenant_id=ours"])).open
    (theirs,) = compare([line(5)], sides=Sides(where=["tenant_id=theirs"])).open
    assert ours.id != theirs.id
    assert theirs.finding.place.title == f"2026-11-18 openai {MODEL} tenant_id=theirs"
    assert compare([line(5)], sides=Sides(where=["tenant_id=ours"])).written == 0


def test_what_is_told_by_key_is_not_gone_where_all_keys_are_compared_as_one(compare: Compare, land: Land) -> None:
    land(*calls(3, more={"metadata": '{"key": "a"}'}))
    by_key = Sides(api_key="metadata.key")
    (whole,) = compare([line(5, api_key="a")]).open
    of_key, gone = compare([line(5, api_key="a")], sides=by_key).known
    assert (of_key.state, of_key.finding.place.api_key) == ("open", "a")
    assert (gone.id, gone.state, gone.why) == (whole.id, "gone", "the difference is told by project and key now")
    assert [known.id for known in compare([line(5, api_key="a")]).known] == [whole.id], "nobody has looked at the key"
    assert {known.why for known in compare([line(3, api_key="a")]).known} == {"the difference has vanished"}


def test_a_bill_without_lines_beside_calls_is_a_finding(compare: Compare, land: Land, database: Client) -> None:
    """The key of another organization, which has used nothing."""
    land(*calls(3), *calls(2, first=10, more={"provider": "anthropic"}))
    empty = {
        name: reconcile_bill(
            database, [], Sides(), parse(""), Range(DAY, DAY + timedelta(days=2)), now=NOW, otherwise=report_without_lines(reader_named(name))
        )
        for name in ("openai-usage", "openai-cost", "csv")
    }
    assert differences(empty["openai-usage"]) == {"2026-11-18 openai (no model)": {"input_tokens": -30, "output_tokens": -15, "requests": -3}}
    assert differences(empty["openai-cost"]) == {"2026-11-18 openai (no model)": {"requests": -3}}
    assert empty["csv"].remarks == ["the bill has no line in the range: nothing was compared"]
    assert [known.state for known in compare([line(3)], wanted=Range(DAY, DAY + timedelta(days=2))).known] == ["gone"], "it came late"


def test_intervals_that_overlap_are_compared_as_one(compare: Compare, land: Land) -> None:
    land(*calls(2), *calls(1, day=1, first=10), *calls(4, day=2, first=20))
    lines = [line(2), line(1, day=1), line(0, hours=(0, 72)), line(4, day=2)]
    (known,) = compare([*lines, line(1, day=1)]).open
    assert [int(figure.difference) for figure in known.finding.figures] == [10, 5, 1]
    assert known.finding.place.interval == "2026-11-18 to 2026-11-21"


def test_a_provider_without_models_in_its_bill_is_compared_as_a_whole(compare: Compare, land: Land) -> None:
    land(*calls(2), *calls(3, first=10, model="o3"))
    assert not compare([line(5, model="")]).known


def test_sums_by_day_say_the_same(compare: Compare, land: Land, database: Client) -> None:
    lines = [line(2), line(5, day=1), line(1, day=1, model="o3")]
    land(*[row | {"arrived_at": "2026-11-20 00:00:00"} for row in (*calls(3), *calls(3, day=1, first=10), *calls(1, day=1, first=20, model="o3"))])
    before = [known.finding.figures for known in compare(lines).open]
    assert len(refresh(database).built) == 2
    assert [known.finding.figures for known in compare(lines).open] == before


HOSTILE = ("'; DROP TABLE findings; --", "\u202e", "{x:String}", "\ud800", "a" * 5000, "\0", "%s\\", "`", "a\nb\t")


def test_hostile_names_are_text(compare: Compare, land: Land) -> None:
    land(*calls(1))
    lines = [line(1), *(line(1, model=text, project=text, api_key=text, item=text) for text in HOSTILE)]
    sides = Sides(project="metadata.it's", api_key="metadata.a\\b")
    outcome = compare(lines, sides=sides)
    assert len({known.id for known in outcome.open}) == len(HOSTILE)
    again = compare(lines, sides=sides)
    assert [known.id for known in again.open] == [known.id for known in outcome.open]
    assert again.written == 0


def test_lines_that_have_no_interval_are_left_out(compare: Compare, land: Land) -> None:
    land(*calls(1))
    backwards: dict[str, Any] = {"hours": (5, 5)}
    outcome = compare([line(1), line(7, **backwards), line(7, day=365 * 400)])
    assert not outcome.known
    assert outcome.remarks == ["2 lines of the bill outside the range, or without an interval, left out"]
