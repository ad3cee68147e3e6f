"""A server on 127.0.0.1 that plays one answer: as recorded, changed, cut, failing first, or held until the test lets it go on.

`Stage` is what the promises know of a server; `http_stage` plays HTTP, `grpc_stage` gRPC. The replay server (`tokentrail.testing.replay`) is for
applications; the kit also has to know what was sent, and when, and whether the client hung up.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from tokentrail.testing.recording import Recording

__all__ = ["PATIENCE", "Asked", "Plan", "Stage", "UnplayableError"]

PATIENCE = 10.0
"""Seconds for which an answer is held; only a call that breaks a promise waits for so long."""


class UnplayableError(Exception):
    """A body that no server of this protocol can send; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server got it; the body of a message that is no text is its JSON. `head`: the headers, or the metadata."""

    method: str
    path: str
    body: bytes
    head: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: `cut_after` closes the connection after that many pieces, `hold_after` sends no more before `Stage.go` is set."""

    status: int
    headers: Mapping[str, str]
    pieces: Sequence[bytes]
    chunked: bool = False
    cut_after: int | None = None
    hold_after: int | None = None
    fail_first: int = 0


@dataclass(slots=True)
class Signals:
    """What the test and the server tell each other while an answer is held."""

    go: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)


class Stage(ABC):
    """The server; a context manager. `asked` has the requests since `play`."""

    forks: ClassVar[bool] = True
    """Whether a process that has such a server, or has been its client, may fork; otherwise a new process forks before its first call."""
    busy: ClassVar[Plan]
    """The answer of a server that is overloaded, after which clients try again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.signals = Signals()
        self.gave_up = False
        self.earlier: Sequence[Plan] = ()
        self.plan = Plan(404, {}, [])

    @abstractmethod
    def __enter__(self) -> Stage:
        """Starts the server."""

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Ends the server."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The server's address, as a client of the protocol takes it."""

    @abstractmethod
    def plan_of(self, recording: Recording, pieces: list[bytes] | None, status: int | None, content_type: str | None) -> Plan:
        """Returns the answer of a recording, or with other pieces of a body; raises `UnplayableError` if the protocol has no such answer."""

    @property
    def go(self) -> threading.Event:
        """Set by the test: what is held may go on."""
        return self.signals.go

    @property
    def holding(self) -> threading.Event:
        """Set by the server: an answer is held."""
        return self.signals.holding

    @property
    def hung_up(self) -> threading.Event:
        """Set by the server: the client hung up while an answer was held."""
        return self.signals.hung_up

    def play(
        self,
        recording: Recording,
        pieces: list[bytes] | None = None,
        *,
        earlier: Sequence[Recording] = (),
        status: int | None = None,
        content_type: str | None = None,
        **faults: Any,
    ) -> None:
        """Answers every request from now on with this recording, or with other pieces of a body; `faults` are fields of `Plan`.

        The first requests are answered by the recordings that are `earlier`, without faults: a job is created, then polled.
        """
        plan = replace(self.plan_of(recording, pieces, status, content_type), **faults)
        before = [self.plan_of(each, None, None, None) for each in earlier]
        self.go.set()  # what an earlier test holds
        self.asked, self.signals, self.gave_up = [], Signals(), False
        self.plan, self.earlier = plan, before

    def may_come(self, waited: float) -> bool:  # noqa: ARG002 - for gRPC
        """Whether a request may be on its way, so many seconds after the client's function returned: a client of HTTP waits for the answer's head."""
        return False

    def next_plan(self, asked: Asked) -> Plan:
        """Notes a request; returns the answer to it."""
        self.asked.append(asked)
        place = len(self.asked) - 1 - len(self.earlier)
        if place < 0:
            return self.earlier[place]
        return self.busy if place < self.plan.fail_first else self.plan

    def held(self, is_gone: Callable[[], bool]) -> bool:
        """Waits for `go`; returns False if the client hung up (`is_gone`, which may wait some milliseconds), or nobody let the answer go on."""
        signals, deadline = self.signals, time.monotonic() + PATIENCE
        signals.holding.set()
        while not signals.go.is_set():
            if is_gone():
                signals.hung_up.set()
                return False
            if time.monotonic() > deadline:
                self.gave_up = True
                return False
        return True
