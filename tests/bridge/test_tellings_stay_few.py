"""What is known of former calls is bounded, also where a server gives all answers one id."""

from __future__ import annotations

from typing import ClassVar

from tokentrail.bridge.tellings import MOST_OF_ONE_ID, Responses, Telling


class Teller(str):
    """A name that counts how often it is looked up."""

    __slots__ = ()
    looked_up: ClassVar[list[int]] = []

    def __hash__(self) -> int:
        self.looked_up.append(1)
        return str.__hash__(self)


def test_a_server_that_gives_all_answers_one_id_costs_the_thousandth_call_no_more() -> None:
    responses = Responses()
    for _ in range(1000):
        assert not responses.is_told(Telling("", "chatcmpl-1")), "one teller tells of a call once"
    Teller.looked_up.clear()
    assert responses.is_told(Telling(Teller("spans of openlit"), "chatcmpl-1"))
    assert not responses.is_told(Telling("", "chatcmpl-1"))
    Teller.looked_up.clear()
    assert not responses.is_told(Telling(Teller(""), "chatcmpl-1"))
    assert len(Teller.looked_up) <= MOST_OF_ONE_ID + 2
