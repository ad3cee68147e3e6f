"""The bridge as processors of an OpenTelemetry SDK. They never raise, never block on the network, and change no span and no event."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, SpanKind, StatusCode

from tokentrail import semconv
from tokentrail.attribution import Attribution, attribution
from tokentrail.bridge.calls import Calls, Candidate
from tokentrail.bridge.reading import Attributes, states_call, telling_of, usage_of
from tokentrail.idempotency import random_key, span_key
from tokentrail.process.current import current
from tokentrail.recording import nesting, recorder

if TYPE_CHECKING:
    from opentelemetry.context import Context

__all__ = ["BridgeLogRecordProcessor", "BridgeSpanProcessor"]

SERVER_SIDE = (SpanKind.SERVER, SpanKind.CONSUMER)


class BridgeSpanProcessor(SpanProcessor):
    """Takes the calls that spans of other instrumentations state. A span that a sampler has dropped never arrives."""

    def __init__(self) -> None:
        _calls()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the signature of the SDK
        """Notes the span and the span around it."""
        try:
            found, scope = span.get_span_context(), _scope_of(span)
            own_call = scope == semconv.SCOPE and semconv.GEN_AI_OPERATION in (span.attributes or {})
            parent_id = span.parent.span_id if span.parent else 0
            _calls().start(found.trace_id, found.span_id, parent_id, scope, own_call=own_call, in_own_call=_inside_own_call())
        except Exception as error:
            current.runtime.diagnostics.internal_error("bridge.on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Takes the call that the span states, if nothing else tells of it."""
        try:
            found = span.get_span_context() or INVALID_SPAN_CONTEXT
            _calls().end(found.trace_id, found.span_id, _candidate_of(span, found))
        except Exception as error:
            current.runtime.diagnostics.internal_error("bridge.on_end", error)

    def shutdown(self) -> None:
        """Does nothing: what waits for a call of tokentrail is decided at that call's end, or at the end of the process."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK
        """Returns at once: `tokentrail.flush` waits for the journal."""
        return True


class BridgeLogRecordProcessor(LogRecordProcessor):
    """Takes the calls that events state: `gen_ai.client.inference.operation.details`, also of a trace that is not sampled, or any with tokens."""

    def __init__(self) -> None:
        _calls()

    def on_emit(self, log_record: Any) -> None:
        """Takes the call that the event states, if nothing else tells of it."""
        try:
            record = log_record.log_record
            attributes: Attributes = record.attributes or {}
            if not states_call(attributes) or _inside_own_call():
                return
            trace_id, span_id = record.trace_id or 0, record.span_id or 0
            ts = record.timestamp or record.observed_timestamp or time.time_ns()
            scope = getattr(log_record.instrumentation_scope, "name", "")
            add = _adding(attributes, attribution.get(), scope, trace_id, span_id, ts)
            _calls().event(trace_id if span_id else 0, Candidate(span_id, scope, telling_of(attributes, f"events of {scope}"), add))
        except Exception as error:
            current.runtime.diagnostics.internal_error("bridge.on_emit", error)

    emit = on_emit
    """The name in an SDK before 1.35."""

    def shutdown(self) -> None:
        """Does nothing: the bridge keeps no events."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK
        """Returns at once: `tokentrail.flush` waits for the journal."""
        return True


def _calls() -> Calls:
    """Returns the calls of this process's runtime; from now on its records are noted there."""
    runtime = current.runtime
    calls = runtime.witness
    if not isinstance(calls, Calls):
        calls = runtime.witness = Calls()
    return calls


def _inside_own_call() -> bool:
    """Whether the function of a call of tokentrail is running: its answer is that call's."""
    outer = nesting.inside.get()
    return isinstance(outer, recorder.Call) and outer.is_open()


def _candidate_of(span: ReadableSpan, found: SpanContext) -> Candidate | None:
    attributes: Attributes = span.attributes or {}
    scope = _scope_of(span)
    if scope == semconv.SCOPE or span.kind in SERVER_SIDE or not states_call(attributes) or _inside_own_call():
        return None
    start = span.start_time or time.time_ns()
    duration = span.end_time - start if span.end_time else None
    failed = span.status.status_code is StatusCode.ERROR
    add = _adding(attributes, attribution.get(), scope, found.trace_id, found.span_id, start, duration_ns=duration, failed=failed)
    return Candidate(found.span_id, scope, telling_of(attributes, f"spans of {scope}"), add)


def _adding(
    attributes: Attributes,
    block: Attribution | None,
    scope: str,
    trace_id: int,
    span_id: int,
    ts: int,
    *,
    duration_ns: int | None = None,
    failed: bool = False,
) -> Callable[[], None]:
    """Returns the function that records the call, in the block in which the call has ended."""
    key = span_key(f"{trace_id:032x}", f"{span_id:016x}") if trace_id and span_id else random_key("event")
    settings = current.settings
    stated = {"key": key, "scope": scope, "ts": ts, "trace_id": trace_id, "span_id": span_id, "duration_ns": duration_ns, "failed": failed}
    usage = usage_of(attributes, block, settings, **stated)  # type: ignore[arg-type]
    return partial(recorder.record, usage, within=block)


def _scope_of(span: ReadableSpan) -> str:
    return getattr(span.instrumentation_scope, "name", "") or ""
