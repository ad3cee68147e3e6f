"""From a provider call to a usage in the journal, on the span and in the metrics. Never raises into the application.

`start(request)` before the call, `Call.finish(answer)` after it: read downwards, this is the write path.
"""

from __future__ import annotations

import os
import sys
from contextvars import Token
from functools import partial
from secrets import token_bytes
from time import monotonic, perf_counter_ns, time_ns
from typing import Any

from opentelemetry import trace

from tokentrail import finisher, ledger, nesting, settings, telemetry
from tokentrail.attribution import Attribution, attribution
from tokentrail.idempotency import bounded, digest, key_prefix, object_key
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.ledger import internal_error, set_sink
from tokentrail.models import model_family
from tokentrail.telemetry import Telemetry
from tokentrail.usage import Usage

__all__ = ["Call", "flush", "instruments", "internal_error", "record", "set_sink", "start"]

_PREFIXES_KEPT = 4096

_prefixes: dict[tuple[str, str], str] = {}
_telemetry: Telemetry | None = None
_secret = b""


class Call:
    """One provider call. `finish` (or `finish_later`) counts it exactly once; everything else may be left out."""

    __slots__ = (
        "_attached",
        "_attribution",
        "_entered",
        "_first_chunk",
        "_inner",
        "_open",
        "_parent",
        "_request",
        "_settings",
        "_sink",
        "_span",
        "_started",
        "_telemetry",
        "_ts",
        "said",
    )

    def __init__(self, request: Request, in_force: settings.Settings) -> None:
        self._request = request
        self._attribution = attribution.get()
        self._open = [True]
        self._first_chunk = 0
        self._entered: Token[Call | nesting.Probe | None] | None = None
        self._inner: nesting.Inner | None = None
        self.said: nesting.Said | None = None
        self._attached: Any = None
        self._settings = in_force
        self._sink = ledger.sink
        self._parent = telemetry.current_context()
        self._telemetry = _telemetry or instruments()
        self._ts = time_ns()
        self._span = None
        try:
            self._span = self._telemetry.start(request, self._attribution, self._parent, self._ts)
        except Exception as failure:  # an SDK's sampler or processor: it must not cost a usage
            internal_error("telemetry.start", failure)
        self._started = perf_counter_ns()

    def enter(self) -> None:
        """Make the span current, and let wrapped calls inside know of this one: only leaves count."""
        self._entered = nesting.inside.set(self)
        if self._span is not None:
            self._attached = telemetry.attach(self._span, self._parent)

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
            telemetry.detach(attached)

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
            internal_error("recorder.finish", failure)

    def finish_later(self, answer: Answer, ended: str = "partial") -> None:
        """Record the call from a finalizer or a signal handler, which may run while this very thread holds a lock: only a queue is touched."""
        finisher.do_later(partial(self.finish, answer, ended))

    def _finish(self, answer: Answer, ended: str, error: BaseException | None) -> None:
        duration = perf_counter_ns() - self._started
        request, self._request = self._request, _NOTHING  # a task begun inside this call holds it as long as it lives, but no prompt
        in_force = self._settings
        self.said = ended, answer.response_id, answer.input_tokens, answer.output_tokens, answer.model
        if self._inner is not None:
            inner, self._inner = self._inner, None
            if nesting.spent_inside(inner, answer, sends=request.sends):
                self._telemetry.finish_unspent(self._span, self._ts + duration, error)
                return
        usage = self._usage(request, answer, ended, error, duration, in_force)
        unstated = usage.input_source != "reported" or usage.output_source != "reported"
        if unstated and in_force.estimate and (usage.ended != "error" or any(answer.output_texts)):
            ledger.append_and_estimate(usage, tuple(request.texts), tuple(answer.output_texts), self._sink)
        else:
            ledger.append(usage, self._sink)
        block = self._attribution
        if block is not None:
            block.add(usage)
        self._telemetry.finish(self._span, usage, answer, self._parent)

    def _usage(self, request: Request, answer: Answer, ended: str, error: BaseException | None, duration: int, in_force: settings.Settings) -> Usage:
        block = self._attribution
        tenant = (block and block.tenant_id) or in_force.tenant_id
        operation = (block and block.operation) or in_force.operations.get(request.endpoint) or request.operation
        texts = request.texts
        if answer.object_id:
            claimed = object_key(request.provider, answer.object_id, answer.object_created)
            key, kind, time = claimed.text, claimed.kind.value, claimed.time
        else:
            key, kind, time = f"{_prefix(operation, tenant)}{digest(texts, _secret or secret())}:{self._ts:019d}", "automatic", self._ts
        span_context = (self._span or trace.get_current_span(self._parent)).get_span_context()
        trace_id = span_context.trace_id
        input_source = "unknown" if answer.input_tokens is None else "reported"
        output_source = "unknown" if answer.output_tokens is None else "reported"
        embedding = request.token_type == "embedding"  # noqa: S105 - a kind of token
        return Usage(
            key=key,
            key_kind=kind,
            key_time=time,
            ts=self._ts,
            tenant_id=tenant if len(tenant) <= 256 else bounded(tenant),  # noqa: PLR2004 - see idempotency.MAX_PART_CHARS
            operation=operation,
            token_type=request.token_type,
            operation_id=block.operation_id if block is not None else "",
            metadata=block.metadata if block is not None else "",
            metadata_cut=block is not None and block.metadata_cut,
            endpoint=request.endpoint,
            gen_ai_operation=request.gen_ai_operation,
            provider=request.provider,
            request_model=request.model,
            response_model=answer.model,
            response_id=answer.response_id,
            model_family=model_family(answer.model or request.model),
            server_address=request.server_address,
            server_port=request.server_port,
            stream=request.stream,
            ended=ended,
            error_type=telemetry.error_type(error) if error is not None else "",
            attempts=answer.attempts,
            duration_ns=duration,
            time_to_first_chunk_ns=self._first_chunk - self._started if self._first_chunk else None,
            trace_id=f"{trace_id:032x}" if trace_id else "",
            span_id=f"{span_context.span_id:016x}" if trace_id else "",
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cache_read_tokens=answer.cache_read_tokens,
            cache_write_tokens=answer.cache_write_tokens,
            reasoning_tokens=answer.reasoning_tokens,
            audio_input_tokens=answer.audio_input_tokens,
            audio_output_tokens=answer.audio_output_tokens,
            image_input_tokens=answer.image_input_tokens,
            image_output_tokens=answer.image_output_tokens,
            consumed_input_tokens=answer.consumed_input_tokens,
            consumed_output_tokens=answer.consumed_output_tokens,
            input_source=input_source,
            # embeddings have no output, so their source is their input's
            output_source=input_source if embedding and answer.output_tokens is None else output_source,
            input_chars=sum(map(len, texts)),
            output_chars=sum(map(len, answer.output_texts)) if answer.output_texts else None,  # no text known is not 0 characters
            texts=len(texts),
        )


_NOTHING = Request(provider="", endpoint="", gen_ai_operation="")


def _prefix(operation: str, tenant: str) -> str:
    prefix = _prefixes.get((operation, tenant))
    if prefix is None:
        if len(_prefixes) >= _PREFIXES_KEPT:
            _prefixes.clear()
        prefix = _prefixes[operation, tenant] = key_prefix(operation, tenant)
    return prefix


def secret() -> bytes:
    """What keys the content hash: the shared secret, else one at random for this process, so that nobody can guess a short prompt from its hash."""
    global _secret  # noqa: PLW0603
    if not _secret:
        _secret = settings.current().content_hash_secret.encode("utf-8", "surrogateescape") or token_bytes(32)
    return _secret


def instruments() -> Telemetry:
    """The spans' and metrics' instruments under the settings in force."""
    global _telemetry  # noqa: PLW0603
    if _telemetry is None:
        in_force = settings.current()
        try:
            _telemetry = Telemetry(in_force)
        except Exception as failure:
            internal_error("telemetry", failure)
            _telemetry = Telemetry(in_force.with_(spans=False, metrics="none"))
    return _telemetry


def start(request: Request) -> Call | None:
    """Begin a call; `None` where nothing is to be recorded: switched off, or only looked at. Never raises."""
    try:
        outer = nesting.inside.get()
        if isinstance(outer, nesting.Probe):
            outer.reached.append(request)
            return None
        in_force = settings.current()
        if in_force.disabled:
            return None
        if not finisher.running and (request.stream or finisher.left):
            finisher.start()
        call = Call(request, in_force)
        if outer is not None and outer.is_open():
            outer.holds(call)
        return call  # noqa: TRY300
    except Exception as failure:
        internal_error("recorder.start", failure)
        return None


def current_span() -> tuple[str, str]:
    """The current span's trace and span id in hexadecimal, empty where there is none."""
    span_context = trace.get_current_span().get_span_context()
    if not span_context.is_valid:
        return "", ""
    return f"{span_context.trace_id:032x}", f"{span_context.span_id:016x}"


def record(usage: Usage) -> None:
    """Record a usage that somebody else has put together; it is in the journal when this returns. Never raises."""
    try:
        if settings.current().disabled:
            return
        ledger.append(usage, ledger.sink)
        block: Attribution | None = attribution.get()
        if block is not None:
            block.add(usage)
        instruments().record(usage)
    except Exception as failure:
        internal_error("recorder.record", failure)


def flush(timeout: float = 30.0) -> bool:
    """Wait until all that was recorded so far is acknowledged by the Collector, or the time (seconds) is up. True if it is.

    For short-lived programs; nothing depends on it, since what is not shipped stays in the journal.
    """
    deadline = monotonic() + timeout
    finished = finisher.drain(timeout)
    return ledger.flush(max(0.0, deadline - monotonic())) and finished


def _after_fork_in_child() -> None:
    """A random secret is made anew, and sums begin at nothing."""
    global _secret  # noqa: PLW0603
    _secret = b""
    telemetry.after_fork()


def _renew(_settings: settings.Settings) -> None:
    global _telemetry, _secret  # noqa: PLW0603
    _telemetry = None
    _secret = b""


os.register_at_fork(after_in_child=_after_fork_in_child)
settings.on_change(_renew)
ledger.before_close(lambda: finisher.drain(settings.current().exit_timeout))
