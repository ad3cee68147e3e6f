"""From a provider call to a usage in the journal, on the span and in the metrics. Never raises into the application.

`start(request)` before the call, `Call.finish(answer)` after it: read downwards, this is the write path.
"""

from __future__ import annotations

import sys
from contextvars import Token
from functools import partial
from time import perf_counter_ns, time_ns
from typing import Any

from opentelemetry import trace

from tokentrail.attribution import attribution
from tokentrail.idempotency import digest, key_prefix, object_key
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.process.forks import resume, unfinished
from tokentrail.recording import nesting
from tokentrail.recording.assemble import assemble
from tokentrail.recording.delivery import Texts
from tokentrail.recording.runtime import Runtime, current
from tokentrail.telemetry import instruments
from tokentrail.usage import Usage

__all__ = ["Call", "current_span", "flush", "record", "start"]

_PREFIXES_KEPT = 4096

_prefixes: dict[tuple[str, str], str] = {}


class Call:
    """One provider call. `finish` (or `finish_later`) counts it exactly once; everything else may be left out."""

    __slots__ = (
        "_attached",
        "_attribution",
        "_delivery",
        "_entered",
        "_first_chunk",
        "_inner",
        "_open",
        "_parent",
        "_request",
        "_runtime",
        "_settings",
        "_span",
        "_started",
        "_telemetry",
        "_ts",
        "said",
    )

    def __init__(self, request: Request, runtime: Runtime) -> None:
        self._request = request
        self._attribution = attribution.get()
        self._open = [True]
        self._first_chunk = 0
        self._entered: Token[Call | nesting.Probe | None] | None = None
        self._inner: nesting.Inner | None = None
        self.said: nesting.Said | None = None
        self._attached: Any = None
        self._runtime = runtime
        self._settings = runtime.settings  # what is configured, or collected, later changes nothing for a call that has begun
        self._delivery = runtime.delivery
        self._parent = instruments.current_context()
        self._telemetry = runtime.telemetry or runtime.instruments()
        self._ts = time_ns()
        self._span = None
        try:
            self._span = self._telemetry.start(request, self._attribution, self._parent, self._ts)
        except Exception as failure:  # an SDK's sampler or processor: it must not cost a usage
            runtime.diagnostics.internal_error("telemetry.start", failure)
        self._started = perf_counter_ns()

    def enter(self) -> None:
        """Make the span current, and let wrapped calls inside know of this one: only leaves count."""
        self._entered = nesting.inside.set(self)
        if self._span is not None:
            self._attached = instruments.attach(self._span, self._parent)

    def leave(self) -> None:
        """Undo `enter`. In another context, where a coroutine is closed that nobody awaited to its end, there is nothing to undo."""
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

    def holds(self, inner: Call) -> None:
        """Note a call that begins while this one is under way, and whether it is a part of this one."""
        part = nesting.is_part(self, sys._getframe(2))  # noqa: SLF001 - only the stack knows
        if part is not False:
            self._inner = self._inner or nesting.no_inner()
            self._inner.append((inner, part is True))

    def first_chunk(self) -> None:
        """Note when a stream began to answer."""
        if not self._first_chunk:
            self._first_chunk = perf_counter_ns()

    def finish(self, answer: Answer, ended: str = "complete", error: BaseException | None = None) -> None:
        """Record the call; what comes after the first time is ignored. It is in the journal when this returns."""
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            self._finish(answer, ended, error)
        except Exception as failure:
            self._runtime.diagnostics.internal_error("recorder.finish", failure)

    def finish_later(self, answer: Answer, ended: str = "partial") -> None:
        """Record the call from a finalizer or a signal handler, which may run while this very thread holds a lock: only a queue is touched."""
        self._runtime.deferred.do_later(partial(self.finish, answer, ended))

    def _finish(self, answer: Answer, ended: str, error: BaseException | None) -> None:
        duration = perf_counter_ns() - self._started
        request, self._request = self._request, _NOTHING  # a task begun inside this call holds it as long as it lives, but no prompt
        settings = self._settings
        self.said = ended, answer.response_id, answer.input_tokens, answer.output_tokens, answer.model
        if self._inner is not None:
            inner, self._inner = self._inner, None
            if nesting.spent_inside(inner, answer, sends=request.sends):
                self._telemetry.finish_unspent(self._span, self._ts + duration, error)
                return
        block = self._attribution
        tenant = (block and block.tenant_id) or settings.tenant_id
        operation = (block and block.operation) or settings.operations.get(request.endpoint) or request.operation
        if answer.object_id:
            claimed = object_key(request.provider, answer.object_id, answer.object_created)
            key, kind, time = claimed.text, claimed.kind.value, claimed.time
        else:
            secret = self._runtime.secret or self._runtime.hash_secret()
            key, kind, time = f"{_prefix(operation, tenant)}{digest(request.texts, secret)}:{self._ts:019d}", "automatic", self._ts
        span_context = (self._span or trace.get_current_span(self._parent)).get_span_context()
        usage = assemble(
            request,
            answer,
            block,
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
        if block is not None:
            block.add(usage)
        self._telemetry.finish(self._span, usage, answer, self._parent)


_NOTHING = Request(provider="", endpoint="", gen_ai_operation="")


def _prefix(operation: str, tenant: str) -> str:
    prefix = _prefixes.get((operation, tenant))
    if prefix is None:
        if len(_prefixes) >= _PREFIXES_KEPT:
            _prefixes.clear()
        prefix = _prefixes[operation, tenant] = key_prefix(operation, tenant)
    return prefix


def start(request: Request) -> Call | None:
    """Begin a call; `None` where nothing is to be recorded: switched off, or only looked at. Never raises."""
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
        if not deferred.running and (request.stream or deferred.left):
            deferred.start()
        call = Call(request, runtime)
        if outer is not None and outer.is_open():
            outer.holds(call)
        return call  # noqa: TRY300
    except Exception as failure:
        current.runtime.diagnostics.internal_error("recorder.start", failure)
        return None


def current_span() -> tuple[int, int]:
    """The current span's trace id and span id, 0 where there is none."""
    span_context = trace.get_current_span().get_span_context()
    return span_context.trace_id, span_context.span_id


def record(usage: Usage) -> None:
    """Record a usage that is assembled already; it is in the journal when this returns. Never raises."""
    resume()
    runtime = current.runtime
    try:
        if runtime.settings.disabled:
            return
        runtime.delivery.append(usage)
        block = attribution.get()
        if block is not None:
            block.add(usage)
        (runtime.telemetry or runtime.instruments()).record(usage)
    except Exception as failure:
        runtime.diagnostics.internal_error("recorder.record", failure)


def flush(timeout: float = 30.0) -> bool:
    """Wait until all that was recorded so far is acknowledged by the Collector, or the time (seconds) is up. True if it is.

    For short-lived programs; nothing depends on it, since what is not shipped stays in the journal.
    """
    return current.runtime.flush(timeout)
