"""Records a provider call as a usage in the journal, on the span and in the metrics. Never raises into the application.

The write path, in reading order: `start(request)` before the call, `Call.finish(answer)` after.
"""

from __future__ import annotations

import sys
from contextvars import Token
from functools import partial
from time import monotonic, perf_counter_ns, time_ns
from typing import Any

from opentelemetry import trace

from tokentrail.attribution import Attribution, attribution
from tokentrail.idempotency import call_digest, key_prefix, object_key
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.process.forks import resume, unfinished
from tokentrail.recording import nesting
from tokentrail.recording.assemble import assemble
from tokentrail.recording.delivery import Texts
from tokentrail.recording.jobs import record_creation
from tokentrail.recording.runtime import Runtime, current
from tokentrail.telemetry import instruments
from tokentrail.telemetry.providers import flush_providers, providers
from tokentrail.usage import Usage

__all__ = ["Call", "current_span", "flush", "record", "start"]

_MAX_PREFIXES = 4096

_prefixes: dict[tuple[str, str], str] = {}


class Call:
    """One provider call. `finish` (or `finish_later`) counts the call exactly once; all other methods are optional."""

    __slots__ = (
        "_attached",
        "_attribution",
        "_delivery",
        "_entered",
        "_first_chunk",
        "_inner",
        "_open",
        "_own",
        "_parent",
        "_request",
        "_runtime",
        "_settings",
        "_span",
        "_started",
        "_telemetry",
        "_ts",
        "_withholds",
        "outcome",
    )

    def __init__(self, request: Request, runtime: Runtime) -> None:
        self._request = request
        self._attribution = attribution.get()
        self._open = [True]
        self._first_chunk = 0
        self._entered: Token[Call | nesting.Probe | None] | None = None
        self._inner: nesting.Inner | None = None
        self.outcome: nesting.Outcome | None = None
        self._attached: Any = None
        self._runtime = runtime
        self._settings = runtime.settings  # a later change of settings or delivery does not affect a started call
        self._delivery = runtime.delivery
        around = instruments.current_context()
        self._parent = instruments.without_members(around) if around else around
        self._withholds = self._parent is not around
        self._own = _begin(request, runtime) if runtime.witness is not None else None
        self._telemetry = runtime.telemetry or runtime.instruments()
        self._ts = time_ns()
        self._span = None
        try:
            self._span = self._telemetry.start(request, self._attribution, self._parent, self._ts)
        except Exception as failure:  # raised by a sampler or span processor; no usage may be lost by that
            runtime.diagnostics.internal_error("telemetry.start", failure)
        self._started = perf_counter_ns()

    def enter(self) -> None:
        """Makes the span current, and this call the outer call of calls inside: only leaves count."""
        self._entered = nesting.inside.set(self)
        if self._span is not None:
            self._attached = instruments.attach(self._span, self._parent)
        elif self._withholds:
            self._attached = instruments.attach_context(self._parent)

    def leave(self) -> None:
        """Undoes `enter`. A coroutine that is closed before its end runs this in another context, where there is nothing to undo."""
        attached, self._attached = self._attached, None
        entered, self._entered = self._entered, None
        if entered is not None:
            try:
                nesting.inside.reset(entered)
            except ValueError:
                return
        if attached is not None:
            instruments.detach(attached)

    def is_open(self) -> bool:
        """Whether the call is not recorded yet."""
        return bool(self._open)

    def note_inner(self, inner: Call) -> None:
        """Adds an inner call, unless the inner call is certainly no part of this call."""
        part = nesting.is_part(self, sys._getframe(2))  # noqa: SLF001 - only the stack shows the callers
        if part is not False:
            self._inner = self._inner or nesting.new_inner()
            self._inner.append((inner, part is True))

    def first_chunk(self) -> None:
        """Sets the time of a stream's first chunk."""
        if not self._first_chunk:
            self._first_chunk = perf_counter_ns()

    def finish(self, answer: Answer, ended: str = "complete", error: BaseException | None = None) -> None:
        """Records the call; further calls of `finish` are ignored. On return the usage is in the journal."""
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            try:
                self._finish(answer, ended, error)
            finally:
                if self._own is not None and self._runtime.witness is not None:
                    self._runtime.witness.finish(self._own)
        except Exception as failure:
            self._runtime.diagnostics.internal_error("recorder.finish", failure)

    def finish_later(self, answer: Answer, ended: str = "partial") -> None:
        """Records the call from a finalizer or a signal handler, which may run while its own thread holds a lock: only a queue is touched."""
        self._runtime.deferred.do_later(partial(self.finish, answer, ended))

    def _finish(self, answer: Answer, ended: str, error: BaseException | None) -> None:
        duration = perf_counter_ns() - self._started
        request, self._request = self._request, _NOTHING  # a task started inside this call keeps the call alive, but no prompt
        settings = self._settings
        self.outcome = ended, answer.response_id, answer.input_tokens, answer.output_tokens, answer.model
        if self._inner is not None:
            inner, self._inner = self._inner, None
            if nesting.is_answer_of_inner(inner, answer, sends=request.sends):
                self._telemetry.finish_uncounted(self._span, self._ts + duration, error)
                return
        block = described = self._attribution
        tenant = (block and block.tenant_id) or settings.tenant_id
        operation = (block and block.operation) or settings.operations.get(request.endpoint) or request.operation
        if answer.object_id:
            if ended == "created":
                record_creation(self._runtime, request, answer.object_id, answer.object_created, block)
                self._telemetry.finish_uncounted(self._span, self._ts + duration, error)
                return
            claimed = object_key(request.provider, answer.object_id, answer.object_created)
            key, kind, time = claimed.text, claimed.kind.value, claimed.time
            self._runtime.jobs.retry_creation(self._runtime.delivery, key)
            origin = self._runtime.jobs.origins.get(key)
            if origin is not None:  # the creation's attribution counts, not that of whoever polls
                described, tenant, operation = origin.block(), origin.tenant_id, origin.operation
        else:
            secret = self._runtime.secret or self._runtime.hash_secret()
            key, kind, time = f"{_prefix(operation, tenant)}{call_digest(request.texts, secret)}:{self._ts:019d}", "automatic", self._ts
        span_context = (self._span or trace.get_current_span(self._parent)).get_span_context()
        usage = assemble(
            request,
            answer,
            described,
            key=key,
            key_kind=kind,
            key_time=time,
            ts=self._ts,
            tenant_id=tenant,
            operation=operation,
            ended=ended,
            error_type=instruments.error_type(error) if error is not None else "",
            duration_ns=duration,
            time_to_first_chunk_ns=self._first_chunk - self._started if self._first_chunk else None,
            trace_id=span_context.trace_id,
            span_id=span_context.span_id,
        )
        unstated = usage.input_source != "reported" or usage.output_source != "reported"
        if unstated and settings.estimate and (usage.ended != "error" or any(answer.output_texts)):
            self._delivery.append(usage, Texts(tuple(request.texts), tuple(answer.output_texts)))
        else:
            self._delivery.append(usage)
        if self._runtime.witness is not None:
            self._runtime.witness.note(usage, self._own)
        if block is not None:
            block.add(usage)
        if request.is_corrected:
            self._telemetry.correct(self._span, request)
        self._telemetry.finish(self._span, usage, answer, span_context)


_NOTHING = Request(provider="", endpoint="", gen_ai_operation="")


def _begin(request: Request, runtime: Runtime) -> Any:
    """Tells the bridge that a call begins; an error there loses no usage."""
    try:
        return runtime.witness.begin(request.model) if runtime.witness is not None else None
    except Exception as failure:
        runtime.diagnostics.internal_error("bridge.begin", failure)
        return None


def _prefix(operation: str, tenant: str) -> str:
    prefix = _prefixes.get((operation, tenant))
    if prefix is None:
        if len(_prefixes) >= _MAX_PREFIXES:
            _prefixes.clear()
        prefix = _prefixes[operation, tenant] = key_prefix(operation, tenant)
    return prefix


def start(request: Request) -> Call | None:
    """Starts a call; `None` where nothing is to be recorded: tokentrail is disabled, or a probe collects the requests. Never raises."""
    try:
        outer = nesting.inside.get()
        if isinstance(outer, nesting.Probe):
            outer.reached.append(request)
            return None
        if unfinished:
            resume()
        runtime = current.runtime
        if runtime.settings.disabled:
            return None
        deferred = runtime.deferred
        if not deferred.running and (request.stream or deferred.needs_thread):
            deferred.start()
        call = Call(request, runtime)
        if outer is not None and outer.is_open():
            outer.note_inner(call)
        return call  # noqa: TRY300
    except Exception as failure:
        current.runtime.diagnostics.internal_error("recorder.start", failure)
        return None


def current_span() -> tuple[int, int]:
    """Returns trace id and span id of the current span, 0 and 0 without a span."""
    span_context = trace.get_current_span().get_span_context()
    return span_context.trace_id, span_context.span_id


def record(usage: Usage, texts: Texts | None = None, within: Attribution | None = None) -> None:
    """Records an assembled usage, in a block or in the current one; on return the usage is in the journal. Never raises.

    With `texts`, counts that are not stated are estimated.
    """
    resume()
    runtime = current.runtime
    try:
        if runtime.settings.disabled:
            return
        runtime.delivery.append(usage, texts)
        if runtime.witness is not None:
            runtime.witness.note(usage)
        block = within or attribution.get()
        if block is not None:
            block.add(usage)
        (runtime.telemetry or runtime.instruments()).record(usage)
    except Exception as failure:
        runtime.diagnostics.internal_error("recorder.record", failure)


def flush(timeout: float = 30.0) -> bool:
    """Waits until the Collector has acknowledged all records so far, at most `timeout` seconds. True if all are acknowledged.

    Meant for short-lived programs, and for a service's end: servers that end by a signal run no exit handlers. Without `flush` no record is lost:
    what is not shipped stays in the journal. Streams that were left, and not found by the garbage collector, are recorded first. Spans and metrics
    of `setup_opentelemetry()` lie in memory: they are sent when the records are acknowledged, and at the latest in the last quarter of the time.
    """
    deadline = monotonic() + timeout
    acknowledged = current.runtime.flush(timeout * 3 / 4 if providers else timeout)
    flush_providers(deadline - monotonic())
    return acknowledged
