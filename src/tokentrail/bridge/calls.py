"""Decides which spans and events are calls of their own: one usage for each provider call, whoever tells of the call, in whatever order.

| a span or an event is left out if | |
|---|---|
| its span, or a span inside it, is that of a usage | an outer span, a framework's perhaps, states the same tokens again |
| a span around it is a call of tokentrail, or a bridged call | the outer one is counted |
| a call of the same answer or a like model began in its context while its span was open | many instrumentations make no span current |
| a usage of the trace has its response id | two spans state one answer |
| a usage of another teller has its response id | an instrumentation states a stream on a span or event of its own, without a parent |

While a call of tokentrail is open in a trace, the trace's spans wait: the call's own record comes at its end. Spans of other traces wait for the open
calls that began inside them, and for those of a like model if they state a response id.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tokentrail.bridge.starts import OwnCall, Start, open_starts, start_here
from tokentrail.bridge.tellings import Responses, Telling, are_alike, is_same
from tokentrail.process.mutexes import Mutex
from tokentrail.usage import Usage
from tokentrail.vocabulary import Origin

__all__ = ["Calls", "Candidate"]

MOST_TRACES: Final = 1024
MOST_SPANS: Final = 10_000
"""Spans and response ids that are known of one trace, and open calls; beyond them the oldest are forgotten."""
DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span or an event that states a call. `record` records the call; 0 is no span; `scope` is the instrumentation's."""

    span_id: int
    scope: str
    telling: Telling
    record: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A candidate, its span's start if that is known, and the calls of tokentrail that are to be recorded before."""

    candidate: Candidate
    start: Start | None
    awaited: tuple[OwnCall, ...]


@dataclass(slots=True)
class _Trace:
    """What is known of one trace. `is_one` is false for what stands in no trace at all."""

    is_one: bool = True
    parents: dict[int, int] = field(default_factory=dict)
    open_spans: dict[int, Start | None] = field(default_factory=dict)
    """Open spans; a call of tokentrail has no start."""
    own_open: set[int] = field(default_factory=set)
    """Open calls of tokentrail."""
    counted: dict[int, None] = field(default_factory=dict)
    """Spans of calls, tokentrail's and bridged ones, and spans of records."""
    around: dict[int, None] = field(default_factory=dict)
    """Spans around counted ones."""
    responses: dict[str, None] = field(default_factory=dict)
    waiting: deque[_Waiting] = field(default_factory=deque)
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
        if not self.is_one:
            return
        if span_id:
            self.counted[span_id] = None
            self.around.update(dict.fromkeys(self.ancestors(span_id)))
        if response_id:
            self.responses[response_id] = None
        for known in (self.counted, self.around, self.responses):
            _bound(known)

    def is_told(self, candidate: Candidate) -> bool:
        span_id = candidate.span_id
        if not self.is_one:
            return False
        if candidate.telling.response_id in self.responses or span_id in self.counted or span_id in self.around:
            return True
        return any(each in self.counted for each in self.ancestors(span_id))


class Calls:
    """The traces of one process in which something is going on, the latest ones; and the calls of tokentrail that are open."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._begin()

    def _begin(self) -> None:
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._own: dict[OwnCall, None] = {}
        """Open calls of tokentrail."""
        self._responses = Responses()
        self._left: list[Candidate] = []
        """Calls of traces that have made room."""

    def begin(self, model: str) -> OwnCall:
        """Notes that a call of tokentrail begins; `note` hears of its record, and `finish` of its end."""
        own = OwnCall((model,) if model else ())
        with self._mutex.lock:
            self._own[own] = None
            _bound(self._own)
            for start in open_starts():
                start.own.append(own)
        return own

    def note(self, usage: Usage, own: OwnCall | None = None) -> None:
        """Notes a usage that tokentrail has recorded."""
        if usage.origin == Origin.BRIDGED.value:
            return
        models = tuple(filter(None, (usage.request_model, usage.response_model)))
        telling = Telling("", usage.response_id, models, (usage.input_tokens, usage.output_tokens))
        with self._mutex.lock:
            if own is not None:
                own.telling = telling
            self._responses.is_told(telling)
            if usage.trace_id:
                self._trace(int(usage.trace_id, 16)).count(int(usage.span_id or "0", 16), usage.response_id)

    def finish(self, own: OwnCall) -> None:
        """Notes that a call of tokentrail has ended, recorded or not, and decides what waits for the call."""
        with self._mutex.lock:
            own.is_open = False
            own.telling = own.telling or Telling("", models=own.models)  # tokentrail knows the call, and there is nothing to count
            self._own.pop(own, None)
            chosen = self._take_left()
            for trace in filter(None, map(self._traces.get, own.waiting)):
                chosen += self._chosen(trace)
        _record(chosen)

    def start(self, trace_id: int, span_id: int, parent_id: int, scope: str, *, own_call: bool, in_own_call: bool) -> None:
        """Notes that a span starts. `own_call`: the span is that of a call of tokentrail; `in_own_call`: the function of such a call is running."""
        with self._mutex.lock:
            trace = self._trace(trace_id)
            trace.parents[span_id] = parent_id
            _bound(trace.parents)
            trace.open_spans[span_id] = None if own_call else start_here(scope, trace_id, span_id, in_own_call=in_own_call)
            if own_call:
                trace.own_open.add(span_id)
                trace.counted[span_id] = None

    def end(self, trace_id: int, span_id: int, candidate: Candidate | None = None) -> None:
        """Notes that a span has ended; the candidate is the call that the span states."""
        with self._mutex.lock:
            trace = self._trace(trace_id)
            start = trace.open_spans.pop(span_id, None)
            trace.own_open.discard(span_id)
            candidate = candidate or trace.events.get(span_id)
            trace.events.pop(span_id, None)
            if start is not None:
                start.is_open = False
            if candidate is not None and not (start is not None and start.in_own_call):
                self._wait(trace_id, trace, candidate, start)
            chosen = [*self._take_left(), *self._chosen(trace)]
        _record(chosen)

    def event(self, trace_id: int, candidate: Candidate) -> None:
        """Takes the call that an event states. An event without a trace is that of the open span of its scope in this context, if there is one."""
        with self._mutex.lock:
            span_id = candidate.span_id
            if not trace_id:
                start = next((each for each in open_starts() if each.scope == candidate.scope), None)
                trace_id, span_id = (start.trace_id, start.span_id) if start is not None else (0, 0)
            trace = self._trace(trace_id)
            if span_id in trace.open_spans:
                trace.events.setdefault(span_id, candidate)
                return
            self._wait(trace_id, trace, candidate, None)
            chosen = [*self._take_left(), *self._chosen(trace)]
        _record(chosen)

    def drain(self) -> None:
        """Decides all that waits, at the end of the process: a call that is still open has no record before."""
        with self._mutex.lock:
            chosen = self._take_left()
            chosen += [candidate for trace in self._traces.values() for candidate in self._last_chosen(trace)]
        _record(chosen)

    def forget_parent(self) -> None:
        """Forgets all traces in a forked child: what waits is the parent's."""
        self._begin()

    def _wait(self, trace_id: int, trace: _Trace, candidate: Candidate, start: Start | None) -> None:
        """Lets a candidate wait for the open calls of tokentrail that may turn out to be the same call."""
        awaited = {own for own in (start.own if start is not None else ()) if own.is_open}
        if candidate.telling.response_id:
            awaited |= {own for own in self._own if are_alike(own.models, candidate.telling.models)}
        for own in awaited:
            own.waiting.add(trace_id)
        trace.waiting.append(_Waiting(candidate, start, tuple(awaited)))

    def _trace(self, trace_id: int) -> _Trace:
        """Returns what is known of a trace. The trace that was quiet the longest makes room, and its waiting calls are decided."""
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace(is_one=trace_id != 0)
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
        for span_id, start in trace.open_spans.items():
            if start is not None:
                start.is_open = False
            if span_id in trace.events:
                trace.waiting.append(_Waiting(trace.events[span_id], start, ()))
        trace.events.clear()
        trace.own_open.clear()
        return self._chosen(trace, at_last=True)

    def _chosen(self, trace: _Trace, *, at_last: bool = False) -> list[Candidate]:
        """Returns the waiting calls that count, none while a call of tokentrail is open. Inner spans end before outer ones, so they come first."""
        if trace.own_open:
            return []
        chosen: list[Candidate] = []
        waiting, trace.waiting = trace.waiting, deque()
        for each in waiting:
            if not at_last and any(own.is_open for own in each.awaited):
                trace.waiting.append(each)
            elif not self._is_told(trace, each.candidate, each.start):
                self._count(trace, each.candidate, each.start)
                chosen.append(each.candidate)
        return chosen

    def _is_told(self, trace: _Trace, candidate: Candidate, start: Start | None) -> bool:
        telling = candidate.telling
        is_told = self._responses.is_told(telling)  # asked in any case, because the answer is noted
        if is_told or trace.is_told(candidate):
            return True
        if start is None:
            return False
        tellings = [*start.told, *(each.telling for each in start.enclosing() if each.telling is not None)]
        return start.is_of_own_call(telling) or any(is_same(each, telling) for each in tellings)

    @staticmethod
    def _count(trace: _Trace, candidate: Candidate, start: Start | None) -> None:
        trace.count(candidate.span_id, candidate.telling.response_id)
        if start is not None:
            start.telling = candidate.telling
            for each in start.enclosing():
                each.told.append(candidate.telling)


def _bound(known: dict[int, int] | dict[int, None] | dict[str, None] | dict[OwnCall, None]) -> None:
    while len(known) > MOST_SPANS:
        del known[next(iter(known))]  # type: ignore[arg-type]


def _record(chosen: list[Candidate]) -> None:
    """Records calls, outside of the lock: a delivery may run processors of the program."""
    for candidate in chosen:
        candidate.record()
