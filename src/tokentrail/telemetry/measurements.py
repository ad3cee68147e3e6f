"""Measurements of calls, which wait for a reader's collection: a record of the SDK's histogram costs 95 function calls (opentelemetry-sdk 1.45.2).

A call appends its durations and its tokens to a queue. Each reader's collection first runs the callbacks of the observable instruments, one of which
moves the waiting measurements into their histograms, and reads the histograms afterwards. A histogram serves all readers, so each reader sees each
measurement once. A measurement is dated by the collection, not by the call; its exemplar names the span of the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, NoOpHistogram
from opentelemetry.trace import NonRecordingSpan, SpanContext

from tokentrail import semconv
from tokentrail.process.forks import resume
from tokentrail.process.mutexes import Mutex
from tokentrail.telemetry.sums import Key, attributes_of

__all__ = ["Measurements", "call_attributes", "context_of"]

MOST_WAITING: Final = 4096
"""Measurements that wait at most, about 1 MB and 0.1 s of a reader's collection; beyond, a call records its own ones at once."""

_OF_NO_SDK: Final = (type(None), NoOpHistogram)


class Measurements:
    """The measurements that no reader has collected yet. `on_error` gets the exceptions of the SDK.

    No lock is held while a measurement is added: a call never waits for a collection, nor does a signal handler.
    """

    __slots__ = ("_on_error", "_waiting", "recording")

    def __init__(self, on_error: Callable[[str, BaseException], None]) -> None:
        self._on_error = on_error
        self._waiting: deque[tuple[Histogram, float, Key, str, SpanContext]] = deque()
        self.recording = Mutex()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, histogram: Histogram, value: float, key: Key, error_type: str, span: SpanContext) -> None:
        """Adds a measurement in the histogram's unit, with the attribute set `key` (see `Sums.add`) and the call's span.

        A histogram of no SDK ignores measurements; so an SDK that is set up later does not report earlier calls.
        """
        # the API's proxies have the SDK's histogram in this attribute, None until an SDK is set up
        if type(getattr(histogram, "_real_instrument", histogram)) in _OF_NO_SDK:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((histogram, value, key, error_type, span))
        else:
            record(histogram, value, key, error_type, span)

    def record_all(self) -> None:
        """Records all measurements that wait now; of two readers at once, the second one waits until the first one has recorded them."""
        resume()
        with self.recording.lock:
            for _ in range(len(self._waiting)):
                try:
                    record(*self._waiting.popleft())
                except IndexError:  # a signal handler has recorded the others
                    return
                except Exception as failure:
                    self._on_error("telemetry.measurements", failure)

    def forget(self) -> None:
        """Removes all measurements in a forked child: the parent reports its own ones."""
        self._waiting.clear()


def record(histogram: Histogram, value: float, key: Key, error_type: str, span: SpanContext) -> None:
    histogram.record(value, call_attributes(key, error_type), context_of(span))


def call_attributes(key: Key, error_type: str) -> dict[str, Any]:
    """Returns the attributes of a call's measurement."""
    attributes = attributes_of(*key)
    if error_type:
        attributes[semconv.ERROR_TYPE] = error_type
    return attributes


def context_of(span: SpanContext) -> Context:
    """Returns a context of this span alone, for exemplars: without a context, the SDK takes the span of the reader's own thread."""
    return trace.set_span_in_context(NonRecordingSpan(span) if span.is_valid else trace.INVALID_SPAN, Context())
