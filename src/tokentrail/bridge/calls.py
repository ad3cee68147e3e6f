"""Decides which spans and events are calls of their own: one usage for each provider call, whoever tells of the call, in whatever order.

| a span or an event is left out if | |
|---|---|
| its span, or a span inside it, is that of a usage | an outer span, a framework's perhaps, states the same tokens again |
| a span around it is a call of tokentrail, or a bridged call | the outer one is counted |
| a usage of the trace has its response id | two spans state one answer |

While a call of tokentrail is open in a trace, the trace's spans wait: the call's own record comes at its end.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tokentrail.process.mutexes import Mutex
from tokentrail.usage import Usage

__all__ = ["Calls", "Candidate"]

MOST_TRACES: Final = 1024
MOST_SPANS: Final = 10_000
"""Spans and response ids that are known of one trace; beyond them the oldest are forgotten."""
DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span or an event that states a call. `record` records the call; 0 is no span."""

    span_id: int
    response_id: str
    record: Callable[[], None]


@dataclass(slots=True)
class _Trace:
    """What is known of one trace."""

    parents: dict[int, int] = field(default_factory=dict)
    open_spans: set[int] = field(default_factory=set)
    own_open: set[int] = field(default_factory=set)
    """Open calls of tokentrail."""
    counted: dict[int, None] = field(default_factory=dict)
    """Spans of calls, tokentrail's and bridged ones, and spans of records."""
    around: dict[int, None] = field(default_factory=dict)
    """Spans around counted ones."""
    responses: dict[str, None] = field(default_factory=dict)
    waiting: deque[Candidate] = field(default_factory=deque)
    events: dict[int, Candidate] = field(default_factory=dict)
    """Events whose span is still open: the span states more."""

    def ancestors(self, span_id: int) -> Iterator[int]:
        for _ in range(DEEPEST):
            span_id = self.parents.get(span_id, 0)
            if not span_id:
                return
            yield span_id

    def count(self, span_id: int, response_id: str) -> None:
        """Notes that the call of a span is recorded."""
        if span_id:
            self.counted[span_id] = None
            self.around.update(dict.fromkeys(self.ancestors(span_id)))
        if response_id:
            self.responses[response_id] = None
        for known in (self.counted, self.around, self.responses):
            _bound(known)

    def is_told(self, candidate: Candidate) -> bool:
        span_id = candidate.span_id
        if candidate.response_id in self.responses or span_id in self.counted or span_id in self.around:
            return True
        return any(each in self.counted for each in self.ancestors(span_id))


class Calls:
    """The traces of one process in which something is going on, the latest ones."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._begin()

    def _begin(self) -> None:
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._left: list[Candidate] = []
        """Calls of traces that have made room."""

    def start(self, trace_id: int, span_id: int, parent_id: int, *, own_call: bool) -> None:
        """Notes that a span starts. `own_call`: the span is that of a call of tokentrail."""
        with self._mutex.lock:
            trace = self._trace(trace_id)
            trace.parents[span_id] = parent_id
            _bound(trace.parents)
            trace.open_spans.add(span_id)
            if own_call:
                trace.own_open.add(span_id)
                trace.counted[span_id] = None

    def end(self, trace_id: int, span_id: int, candidate: Candidate | None = None) -> None:
        """Notes that a span has ended; the candidate is the call that the span states."""
        with self._mutex.lock:
            trace = self._trace(trace_id)
            trace.open_spans.discard(span_id)
            trace.own_open.discard(span_id)
            event = trace.events.pop(span_id, None)
            trace.waiting.extend(each for each in (candidate or event,) if each is not None)
            chosen = [*self._take_left(), *self._chosen(trace)]
        _record(chosen)

    def event(self, trace_id: int, candidate: Candidate) -> None:
        """Takes the call that an event states; a trace id of 0 is no trace, of which nothing else can tell."""
        if not trace_id:
            _record([candidate])
            return
        with self._mutex.lock:
            trace = self._trace(trace_id)
            if candidate.span_id in trace.open_spans:
                trace.events.setdefault(candidate.span_id, candidate)
                return
            trace.waiting.append(candidate)
            chosen = [*self._take_left(), *self._chosen(trace)]
        _record(chosen)

    def note(self, usage: Usage) -> None:
        """Notes a usage that tokentrail has recorded."""
        if not usage.trace_id:
            return
        with self._mutex.lock:
            self._trace(int(usage.trace_id, 16)).count(int(usage.span_id or "0", 16), usage.response_id)

    def drain(self) -> None:
        """Decides all that waits, at the end of the process: a call that is still open has no record before."""
        with self._mutex.lock:
            chosen = self._take_left()
            chosen += [candidate for trace in self._traces.values() for candidate in self._last_chosen(trace)]
        _record(chosen)

    def forget_parent(self) -> None:
        """Forgets all traces in a forked child: what waits is the parent's."""
        self._begin()

    def _trace(self, trace_id: int) -> _Trace:
        """Returns what is known of a trace. The trace that was quiet the longest makes room, and its waiting calls are decided."""
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace()
            if len(self._traces) > MOST_TRACES:
                self._left += self._last_chosen(self._traces.popitem(last=False)[1])
        else:
            self._traces.move_to_end(trace_id)
        return trace

    def _take_left(self) -> list[Candidate]:
        left, self._left = self._left, []
        return left

    def _last_chosen(self, trace: _Trace) -> list[Candidate]:
        """Returns what counts of a trace of which nothing more is awaited."""
        trace.waiting.extend(trace.events.values())
        trace.events.clear()
        trace.own_open.clear()
        return self._chosen(trace)

    def _chosen(self, trace: _Trace) -> list[Candidate]:
        """Returns the waiting calls that count, none while a call of tokentrail is open. Inner spans end before outer ones, so they come first."""
        chosen: list[Candidate] = []
        while trace.waiting and not trace.own_open:
            candidate = trace.waiting.popleft()
            if not trace.is_told(candidate):
                trace.count(candidate.span_id, candidate.response_id)
                chosen.append(candidate)
        return chosen


def _bound(known: dict[int, int] | dict[int, None] | dict[str, None]) -> None:
    while len(known) > MOST_SPANS:
        del known[next(iter(known))]  # type: ignore[arg-type]


def _record(chosen: list[Candidate]) -> None:
    """Records calls, outside of the lock: a delivery may run processors of the program."""
    for candidate in chosen:
        candidate.record()
