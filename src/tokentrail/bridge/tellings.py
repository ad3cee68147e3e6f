"""What a record, a span or an event tells of a call, and whether two of them tell of one call, wherever they stand.

Instrumentations often start the span of a stream without making it current, so that it is in another trace than what happens inside it; or they state
the tokens on a span of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

__all__ = ["Responses", "Telling", "are_alike", "is_alike", "is_same"]

MOST: Final = 10_000
"""Response ids that are known; beyond them the oldest is forgotten."""
MOST_OF_ONE_ID: Final = 64
"""Calls that are known of one response id: a server that gives all answers one id makes every look-up as long."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told of a call. `teller`: tokentrail, or the spans or the events of a scope. `models`: the request's and the answer's, where stated."""

    teller: str
    response_id: str = ""
    models: tuple[str, ...] = ()
    counts: tuple[int | None, int | None] = (None, None)


def is_same(one: Telling, other: Telling) -> bool:
    """Whether two tellings are of one call, if one of the two began inside the other: of one answer, or of like models.

    Two streams that are open at once begin inside each other too, so one teller's spans are of one call only where they state the same answer.
    An instrumentation may state another id than the provider's: then the counts decide.
    """
    if one.response_id and one.response_id == other.response_id:
        return True
    if one.teller == other.teller:
        return False
    return is_alike(one, other) or (not (one.response_id and other.response_id) and are_alike(one.models, other.models))


def is_alike(one: Telling, other: Telling) -> bool:
    """Whether two tellings have the same counts and like models."""
    return one.counts == other.counts and None not in one.counts and are_alike(one.models, other.models)


def are_alike(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether models may be the same: instrumentations leave out the vendor, or state the answer's as the request's. What is unstated may be any."""
    return not some or not others or any(one in other or other in one for one in some for other in others)


class Responses:
    """The latest calls by their response ids, each with its tellers. A teller tells of a call once: the next time is another call with that id."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, list[set[str]]] = OrderedDict()

    def is_told(self, telling: Telling) -> bool:
        """Notes what is told; returns whether another teller has told of the call before."""
        if not telling.response_id:
            return False
        calls = self._calls.setdefault(telling.response_id, [])
        self._calls.move_to_end(telling.response_id)
        for tellers in calls:
            if telling.teller not in tellers:
                tellers.add(telling.teller)
                return True
        calls.append({telling.teller})
        if len(calls) > MOST_OF_ONE_ID:
            del calls[0]
        while len(self._calls) > MOST:
            self._calls.popitem(last=False)
        return False
