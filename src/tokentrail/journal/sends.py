"""The exporters' side of the shipper: what an exporter does, and the outcome of a request that may still be under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from tokentrail.journal.exporter import Outcome, Result

__all__ = ["NOTHING", "Lanes", "OneLane", "Sends", "Sent"]


class Sends(Protocol):
    """The parts of an exporter that the shipper uses. `max_request_bytes`: size of a request before compression."""

    max_request_bytes: int

    def send(self, body: bytes, /) -> Outcome:
        """Sends one request; never raises."""
        ...


class Sent(Protocol):
    """A request that was sent, or is being sent."""

    def result(self) -> Outcome:
        """Returns the outcome, once it is there."""
        ...


class Lanes(Protocol):
    """Takes up to `width` requests side by side."""

    width: int

    def start(self, body: bytes, /) -> Sent:
        """Begins to send one request."""
        ...


@dataclass(frozen=True, slots=True)
class _Done:
    outcome: Outcome

    def result(self) -> Outcome:
        return self.outcome


NOTHING: Final[Sent] = _Done(Outcome(Result.ACCEPTED))
"""No request, which nobody can refuse."""


class OneLane:
    """One request after the other, sent by the caller's thread.

    A service's shipper imports no `concurrent.futures`: that module registers at-fork hooks, and a fork of another thread that is already waiting in
    its own hooks then runs the second half of hooks whose first half it has not run.
    """

    width = 1

    def __init__(self, exporter: Sends) -> None:
        self._exporter = exporter

    def start(self, body: bytes) -> Sent:
        """Sends one request."""
        return _Done(self._exporter.send(body))
