"""A finding's state between two rounds: what people have decided holds until the difference is another one; what has vanished is gone by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.bills import DAY, MODEL
from tokentrail.reconciling.finding import Figure, Finding, Place, number
from tokentrail.reconciling.states import VANISHED, Known, State, advance
from tokentrail.reconciling.tolerance import parse

HERE = Place("openai-usage", DAY, DAY + timedelta(days=1), "openai", MODEL)
TOLERANCE = parse("1%")


def finding(difference: int, place: Place = HERE) -> Finding:
    return Finding(place, [Figure("input_tokens", Decimal(1000), Decimal(1000 - difference))])


def known(state: State, difference: int = 100) -> Known:
    return Known(finding(difference), state=state, version=3, who="ada", why="so", by_hand=True)


def after(before: Known | None, found: Finding | None, *, covers: bool = True, arrived: bool = True) -> Known | None:
    given = {} if before is None else {before.id: before}
    states = advance(given, [] if found is None else [found], lambda _: VANISHED if covers else "", TOLERANCE, lambda _: arrived)
    return next(iter(states.values()), None)


def test_a_new_difference_is_open() -> None:
    state = after(None, finding(100))
    assert state is not None
    assert (state.state, state.version, state.by_hand) == ("open", 1, False)


@pytest.mark.parametrize("state", ["open", "explained"])
def test_the_same_difference_changes_nothing_and_another_one_opens(state: State) -> None:
    before = known(state)
    assert after(before, finding(109)) is before, "within the tolerance"
    now = after(before, finding(111))
    assert now is not None
    assert (now.state, now.version, now.who) == ("open", 4, "tokentrail reconcile")
    assert now.finding == finding(111)
    if state == "explained":
        assert now.why == "the difference has changed since it was explained by ada: so"


@pytest.mark.parametrize("state", ["open", "explained"])
def test_what_has_vanished_is_gone_where_it_was_looked_for(state: State) -> None:
    before = known(state)
    now = after(before, None)
    assert now is not None
    assert now.state == "gone"
    assert after(before, None, covers=False) is None
    back = after(now, finding(100))
    assert back is not None
    assert back.state == "open"
    if state == "open":
        assert (now.why, back.why) == ("the difference has vanished", "the difference is back")
    else:
        assert now.why == "the difference has vanished; it was explained by ada: so"
        assert back.why == "the difference is back; it was explained by ada: so"
        gone_again = after(back, None)
        assert gone_again is not None
        assert gone_again.why == now.why, "who has explained it is said as often as it comes back"


def test_a_measure_that_comes_close_enough_does_not_open_what_is_explained() -> None:
    """An explained difference of 11 with 10 allowed, which becomes 9: it has changed by 2."""
    requests = Figure("requests", Decimal(1000), Decimal(989))
    before = Known(replace(finding(100), figures=[*finding(100).figures, requests]), state="explained", who="ada", why="so", by_hand=True)
    near = replace(requests, counted=Decimal(991))
    assert after(before, replace(finding(100), near=[near])) is before
    for changed in (replace(finding(100), near=[replace(requests, counted=Decimal(1000))]), finding(100)):
        now = after(before, changed)
        assert now is not None
        assert now.state == "open", "it has become 0, or is not stated any more"
    more = after(known("explained"), replace(finding(100), figures=[*finding(100).figures, requests]))
    assert more is not None
    assert more.state == "open", "another measure differs, of which nobody has said why"


def test_a_correction_holds_until_its_entry_has_arrived_and_something_differs_still() -> None:
    before = known("corrected")
    assert after(before, None) is before
    assert after(before, finding(100), arrived=False) is before, "the entry is on its way"
    now = after(before, finding(40))
    assert now is not None
    assert (now.state, now.why) == ("open", "the difference is another one since the correction")


def test_a_correction_that_was_taken_back_is_compared_before_it_is_open_to_another_one() -> None:
    before = replace(known("open"), entry="{}")
    assert before.is_uncompared
    assert after(before, finding(100), arrived=False) is before
    now = after(before, finding(100))
    assert now is not None
    assert (now.state, now.by_hand, now.is_uncompared, now.why) == ("open", False, False, "so")


def test_an_open_finding_learns_of_another_explanation() -> None:
    before = known("open")
    now = after(before, replace(finding(100), explanations=("late",)))
    assert now is not None
    assert now.finding.explanations == ("late",)
    explained = known("explained")
    assert after(explained, replace(finding(100), explanations=("late",))) is explained


def test_an_id_is_that_of_the_place_alone() -> None:
    assert finding(1).id == finding(2).id == HERE.id
    assert len(HERE.id) == 12
    others = {replace(HERE, **{name: "x"}).id for name in ("source", "provider", "model", "project", "api_key", "subject")} | {
        replace(HERE, ends=HERE.ends + timedelta(days=1)).id,
        HERE.id,
    }
    assert len(others) == 8
    assert replace(HERE, model="ab", project="c").id != replace(HERE, model="a", project="bc").id


def test_figures_are_written_for_people() -> None:
    written = [number(Decimal(text)) for text in ("1234567", "0.5000000001", "0.0000001", "-3", "1E+3", "0.10")]
    assert written == ["1,234,567", "0.5", "0", "-3", "1,000", "0.1"]
    assert number(Decimal("0.25"), signed=True) == "+0.25"
    tiny = Figure("cost USD", Decimal("0.0300000002"), Decimal("0.03"))
    assert tiny.sentence == "USD: 0.0300000002 stated, 0.03 in the ledger (+0.0000000002)"
