"""Spans and metrics: for looking, never for billing. Both are no-ops without an OpenTelemetry SDK.

Token counters are *observable*: the call path adds to a small table, and the SDK reads it when it exports. That is cumulative by nature, costs a
dictionary look-up instead of 82 function calls per counter (opentelemetry-sdk 1.45.2), and starts anew after a fork, where sums that the parent
had counted would otherwise be exported twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Token
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode

from tokentrail import self_metrics, semconv, settings, threads

if TYPE_CHECKING:
    from tokentrail.attribution import Attribution
    from tokentrail.instrumentation.contract import Answer, Request
    from tokentrail.usage import Usage

__all__ = ["Telemetry", "after_fork", "attach", "detach", "end_block"]

_COUNTERS: Final = (
    (semconv.METRIC_INPUT_TOKENS, "Input tokens, cached ones included"),
    (semconv.METRIC_OUTPUT_TOKENS, "Output tokens, reasoning included"),
    (semconv.METRIC_CACHE_READ_TOKENS, "Input tokens read from the provider's cache"),
    (semconv.METRIC_CACHE_WRITE_TOKENS, "Input tokens written to the provider's cache"),
    (semconv.METRIC_REASONING_TOKENS, "Output tokens spent on reasoning"),
)
_ERROR: Final = Status(StatusCode.ERROR)
_USUAL_PORT: Final = 443
"""Not stated, as in the official instrumentations: the conventions ask for a port only where it is another one."""
_MOST_SERIES: Final = 2000
"""As many attribute sets as the SDK keeps for an instrument; the rest is one series marked as overflow."""
_OVERFLOW: Final[tuple[Any, ...]] = ("", "", "", "", "", 0)

Key = tuple[Any, ...]

_totals: dict[Key, list[int]] = {}
_totals_lock = threads.RLock()  # a signal handler may come in the middle of its own thread's addition
_observed = False


class Telemetry:
    """The instruments under one set of settings."""

    def __init__(self, in_force: settings.Settings) -> None:
        off = in_force.otel_sdk_disabled or in_force.disabled
        self._tracer = trace.get_tracer(semconv.SCOPE) if in_force.spans and not off else None
        self._latest = in_force.metrics in ("latest", "both") and not off
        self._legacy = in_force.metrics in ("legacy", "both") and not off
        self._histograms: dict[str, Histogram] = {}
        if self._latest or self._legacy:
            self._make_instruments(metrics.get_meter(semconv.SCOPE))

    def _make_instruments(self, meter: Meter) -> None:
        def histogram(name: str, unit: str, description: str, buckets: tuple[float, ...]) -> None:
            self._histograms[name] = meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(buckets))

        _observe(meter)
        if self._latest:
            histogram(semconv.METRIC_DURATION, "s", "Duration of an inference call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_EMBEDDINGS_DURATION, "s", "Duration of an embeddings call", semconv.DURATION_BUCKETS)
        if self._legacy:
            histogram(semconv.METRIC_LEGACY_DURATION, "s", "Duration of a call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_LEGACY_TOKENS, "{token}", "Tokens of a call", semconv.TOKEN_BUCKETS)

    def start(self, request: Request, attribution: Attribution | None, parent: Context, ts: int) -> Span | None:
        """A client span from `ts` on (UTC nanoseconds), with what sampling may look at; `None` where spans are off."""
        tracer = self._tracer
        if tracer is None:
            return None
        operation = request.gen_ai_operation
        attributes: dict[str, Any] = {semconv.GEN_AI_OPERATION: operation, semconv.PROVIDER: request.provider}
        name = operation
        if request.model:
            attributes[semconv.REQUEST_MODEL] = request.model
            name = f"{operation} {request.model}"
        if request.server_address:
            attributes[semconv.SERVER_ADDRESS] = request.server_address
        if request.server_port not in (0, _USUAL_PORT):
            attributes[semconv.SERVER_PORT] = request.server_port
        if request.stream:
            attributes[semconv.REQUEST_STREAM] = True
        if attribution is not None and attribution.tenant_id:
            attributes[semconv.TENANT_ID] = attribution.tenant_id
        return tracer.start_span(name, parent, SpanKind.CLIENT, attributes, None, ts)

    def start_block(self, name: str, block: Attribution) -> Span | None:
        """A span for a `track_tokens` block; it never carries counts, which only leaves do. `None` where there are no spans."""
        if self._tracer is None:
            return None
        attributes = {}
        if block.tenant_id:
            attributes[semconv.TENANT_ID] = block.tenant_id
        if block.operation:
            attributes[semconv.OPERATION] = block.operation
        if block.operation_id:
            attributes[semconv.OPERATION_ID] = block.operation_id
        span = self._tracer.start_span(name, attributes=attributes)
        return span if span.get_span_context().is_valid else None

    def finish(self, span: Span | None, usage: Usage, answer: Answer, parent: Context) -> None:
        """End the span and add to the metrics. It is as long as the usage says, also where the wall clock was set meanwhile."""
        duration = usage.duration_ns or 0
        if span is not None and span.__class__ is not NonRecordingSpan:
            span.set_attributes(_span_attributes(usage, answer))
            if usage.error_type:
                span.set_status(_ERROR)
            span.end(usage.ts + duration)
        self._measure(usage, duration, parent)

    def finish_unspent(self, span: Span | None, end: int, error: BaseException | None) -> None:
        """End the span of a call whose answer came from a call inside it, which has its own span and counts."""
        if span is not None:
            if error is not None:
                span.set_attribute(semconv.ERROR_TYPE, error_type(error))
                span.set_status(_ERROR)
            span.end(end)

    def record(self, usage: Usage) -> None:
        """Add a usage recorded by hand: its tokens, and its duration where it states one. Corrections have no place in sums that only grow."""
        if usage.corrects_key or not usage.gen_ai_operation:
            return
        self._measure(usage, usage.duration_ns, None)

    def _measure(self, usage: Usage, duration: int | None, parent: Context | None) -> None:
        if self._latest:
            self._count(usage)
            if duration is not None:
                name = semconv.METRIC_EMBEDDINGS_DURATION if usage.gen_ai_operation == "embeddings" else semconv.METRIC_DURATION
                self._histograms[name].record(duration / 1e9, _call_attributes(usage), parent)
        if self._legacy:
            attributes = _call_attributes(usage)
            if duration is not None:
                self._histograms[semconv.METRIC_LEGACY_DURATION].record(duration / 1e9, attributes, parent)
            attributes = {name: value for name, value in attributes.items() if name != semconv.ERROR_TYPE}
            tokens = self._histograms[semconv.METRIC_LEGACY_TOKENS]
            for kind, value in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                if value is not None:
                    tokens.record(value, attributes | {semconv.GEN_AI_TOKEN_TYPE: kind}, parent)

    def _count(self, usage: Usage) -> None:
        """Add to the sums that the token counters report; a call without counts adds 0, as the conventions ask."""
        key = (usage.gen_ai_operation, usage.provider, usage.request_model, usage.response_model, usage.server_address, usage.server_port)
        with _totals_lock:
            row = _totals.get(key)
            if row is None:
                row = _totals.setdefault(key if len(_totals) < _MOST_SERIES else _OVERFLOW, [0, 0, 0, 0, 0])
            row[0] += usage.input_tokens or 0
            row[1] += usage.output_tokens or 0
            row[2] += usage.cache_read_tokens or 0
            row[3] += usage.cache_write_tokens or 0
            row[4] += usage.reasoning_tokens or 0


def _observe(meter: Meter) -> None:
    """Let the SDK read what is counted; once in a process, or two callbacks would report the same sums."""
    global _observed  # noqa: PLW0603
    if _observed:
        return
    _observed = True
    self_metrics.observe_journal(meter)
    for place, (name, description) in enumerate(_COUNTERS):
        meter.create_observable_counter(name, [_observer(place, embeddings=False)], "{token}", description)
    meter.create_observable_counter(semconv.METRIC_EMBEDDINGS_INPUT_TOKENS, [_observer(0, embeddings=True)], "{token}", "Input tokens of embeddings")


def _observer(place: int, *, embeddings: bool) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        in_force = settings.current()
        if in_force.metrics not in ("latest", "both") or in_force.disabled or in_force.otel_sdk_disabled:
            return []  # switched over by a later `configure()`
        with _totals_lock:
            rows = [(key, row[place]) for key, row in _totals.items() if (key[0] == "embeddings") is embeddings]
        return [Observation(value, _series_attributes(key)) for key, value in rows]

    return observe


def after_fork() -> None:
    """Start the sums anew in a forked child: the parent reports its own."""
    global _totals_lock  # noqa: PLW0603
    _totals_lock = threads.RLock()
    _totals.clear()
    self_metrics.after_fork()


def _series_attributes(key: Key) -> dict[str, Any]:
    operation, provider, request_model, response_model, address, port = key
    if not operation:
        return {semconv.METRIC_OVERFLOW: True}
    attributes = _attributes(operation, provider, request_model, response_model, address, port)
    attributes[semconv.TOKEN_MODALITY] = "unknown"  # the providers' totals are not split by modality; guessing text is not allowed
    return attributes


def _call_attributes(usage: Usage) -> dict[str, Any]:
    attributes = _attributes(
        usage.gen_ai_operation, usage.provider, usage.request_model, usage.response_model, usage.server_address, usage.server_port
    )
    if usage.error_type:
        attributes[semconv.ERROR_TYPE] = usage.error_type
    return attributes


def _attributes(operation: str, provider: str, request_model: str, response_model: str, address: str, port: int) -> dict[str, Any]:
    """What all metrics are split by; what is not known is absent, not empty."""
    attributes: dict[str, Any] = {semconv.GEN_AI_OPERATION: operation, semconv.PROVIDER: provider}
    if request_model:
        attributes[semconv.REQUEST_MODEL] = request_model
    if response_model:
        attributes[semconv.RESPONSE_MODEL] = response_model
    if address:
        attributes[semconv.SERVER_ADDRESS] = address
    if port not in (0, _USUAL_PORT):
        attributes[semconv.SERVER_PORT] = port
    return attributes


def _span_attributes(usage: Usage, answer: Answer) -> dict[str, Any]:  # noqa: C901, PLR0912 - one line an attribute: a loop would cost a call for each
    """What the answer brought. A subset of 0 tokens is left out, since each attribute costs; it is the ledger that keeps 0 apart from unknown."""
    attributes: dict[str, Any] = {semconv.OPERATION: usage.operation}
    if usage.response_model:
        attributes[semconv.RESPONSE_MODEL] = usage.response_model
    if usage.response_id:
        attributes[semconv.RESPONSE_ID] = usage.response_id
    if answer.finish_reasons:
        attributes[semconv.FINISH_REASONS] = tuple(answer.finish_reasons)
    if usage.input_tokens is not None:
        attributes[semconv.INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        attributes[semconv.OUTPUT_TOKENS] = usage.output_tokens
    if usage.cache_read_tokens:
        attributes[semconv.CACHE_READ_TOKENS] = usage.cache_read_tokens
    if usage.cache_write_tokens:
        attributes[semconv.CACHE_WRITE_TOKENS] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        attributes[semconv.REASONING_TOKENS] = usage.reasoning_tokens
    if usage.audio_input_tokens:
        attributes[semconv.AUDIO_INPUT_TOKENS] = usage.audio_input_tokens
    if usage.audio_output_tokens:
        attributes[semconv.AUDIO_OUTPUT_TOKENS] = usage.audio_output_tokens
    if usage.image_input_tokens:
        attributes[semconv.IMAGE_INPUT_TOKENS] = usage.image_input_tokens
    if usage.image_output_tokens:
        attributes[semconv.IMAGE_OUTPUT_TOKENS] = usage.image_output_tokens
    if usage.time_to_first_chunk_ns is not None:
        attributes[semconv.TIME_TO_FIRST_CHUNK] = usage.time_to_first_chunk_ns / 1e9
    if usage.ended != "complete":
        attributes[semconv.ENDED] = usage.ended
    if usage.error_type:
        attributes[semconv.ERROR_TYPE] = usage.error_type
    return attributes


def end_block(span: Span, error: BaseException | None = None, end_time: int | None = None) -> None:
    """End a block's span, now or at `end_time` (UTC nanoseconds); an error's message stays out, since it may hold a prompt."""
    if error is not None:
        span.set_attribute(semconv.ERROR_TYPE, error_type(error))
        span.set_status(_ERROR)
    span.end(end_time)


def error_type(error: BaseException) -> str:
    """The HTTP status where there is one (the provider's word), else the exception's qualified name, as the conventions ask for `error.type`."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return str(status)
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def attach(span: Span, parent: Context | None = None) -> Token[Context]:
    """Make the span current, for spans of the HTTP client below it; the token goes to `detach`."""
    return context.attach(trace.set_span_in_context(span, parent))


current_context = context.get_current
detach = context.detach
