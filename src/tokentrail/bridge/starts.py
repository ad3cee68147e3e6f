"""Which spans and calls of tokentrail began inside which open span, by the context in which they began.

A span that was never made current is the parent of none, but the call that its instrumentation then makes begins in the same context.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from tokentrail.bridge.tellings import Telling, is_alike, is_same

__all__ = ["OwnCall", "Start", "open_starts", "start_here"]

DEEPEST: Final = 64
MOST_INSIDE: Final = 64


@dataclass(slots=True, eq=False)
class OwnCall:
    """A call of tokentrail, from its start on.

    `telling` is what its record says; `waiting`: traces in which spans wait for the record; `tellers`: whose spans told of the call.
    """

    models: tuple[str, ...]
    is_open: bool = True
    telling: Telling | None = None
    waiting: set[int] = field(default_factory=set)
    tellers: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Start:
    """A span of another instrumentation, from its start on. `telling` is what was counted of the span, `told` what was counted of spans inside."""

    scope: str
    trace_id: int
    span_id: int
    in_own_call: bool
    around: Start | None
    depth: int
    is_open: bool = True
    telling: Telling | None = None
    own: deque[OwnCall] = field(default_factory=lambda: deque(maxlen=MOST_INSIDE))
    told: deque[Telling] = field(default_factory=lambda: deque(maxlen=MOST_INSIDE))

    def enclosing(self) -> Iterator[Start]:
        """The spans that were open when this span started, from the inside outwards."""
        start = self.around
        while start is not None:
            yield start
            start = start.around

    def is_of_own_call(self, telling: Telling) -> bool:
        """Whether the span is that of a call of tokentrail that began inside.

        A scope may leave a stream's span open and state the tokens on another one: then a call inside the open span, with the same counts, once.
        """
        inside = [own for own in self.own if own.telling is not None and is_same(own.telling, telling)]
        left_open = [own for each in self.enclosing() if each.is_open and each.scope == self.scope for own in each.own]
        inside += [own for own in left_open if telling.teller not in own.tellers and own.telling is not None and is_alike(own.telling, telling)]
        for own in inside[:1]:
            own.tellers.add(telling.teller)
        return bool(inside)


_latest: ContextVar[Start | None] = ContextVar("tokentrail_bridge_latest", default=None)
"""The span that was started last in this context, open or not."""


def open_starts() -> Iterator[Start]:
    """The open spans that were started in this context, the latest first."""
    start = _latest.get()
    while start is not None:
        if start.is_open:
            yield start
        start = start.around


def start_here(scope: str, trace_id: int, span_id: int, *, in_own_call: bool) -> Start:
    """Notes in this context that a span starts. Spans that nobody ends may stay open for ever, so only the innermost ones are kept."""
    around = next(open_starts(), None)
    if around is not None and around.depth >= DEEPEST:
        around.around, around.depth = None, 0
    start = Start(scope, trace_id, span_id, in_own_call, around, 0 if around is None else around.depth + 1)
    _latest.set(start)
    return start
