"""Spans and metrics: for looking, never for billing. Both are no-ops without an OpenTelemetry SDK.

Token counters are *observable*: the call path adds to a small table, and the SDK reads it when it exports. That is cumulative by nature, costs a
dictionary look-up instead of 82 function calls per counter (opentelemetry-sdk 1.45.2), and starts anew after a fork, where sums that the parent
had counted would otherwise be exported twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tokentrail import semconv, settings

if TYPE_CHECKING:
    from tokentrail.attribution import Attribution
    from tokentrail.call import Answer, Request
    from tokentrail.usage import Usage

__all__ = ["Telemetry"]

_COUNTERS = (
    (semconv.METRIC_INPUT_TOKENS, "Input tokens, cached ones included"),
    (semconv.METRIC_OUTPUT_TOKENS, "Output tokens, reasoning included"),
    (semconv.METRIC_CACHE_READ_TOKENS, "Input tokens read from the provider's cache"),
    (semconv.METRIC_CACHE_WRITE_TOKENS, "Input tokens written to the provider's cache"),
    (semconv.METRIC_REASONING_TOKENS, "Output tokens spent on reasoning"),
)
_ERROR = Status(StatusCode.ERROR)
_UNSET_SPAN = trace.INVALID_SPAN


_totals: dict[tuple[Any, ...], list[int]] = {}
_totals_lock = threading.Lock()
_observed = False


class Telemetry:
    """The instruments under one set of settings."""

    def __init__(self, in_force: settings.Settings) -> None:
        off = in_force.otel_sdk_disabled
        self._tracer = trace.get_tracer(semconv.SCOPE) if in_force.spans and not off else None
        self._latest = in_force.metrics in ("latest", "both") and not off
        self._legacy = in_force.metrics in ("legacy", "both") and not off
        self._histograms: dict[str, Histogram] = {}
        if self._latest or self._legacy:
            self._make_instruments(metrics.get_meter(semconv.SCOPE))

    def _make_instruments(self, meter: metrics.Meter) -> None:
        def histogram(name: str, unit: str, description: str, buckets: tuple[float, ...]) -> None:
            self._histograms[name] = meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(buckets))

        if self._latest:
            _observe_totals(meter)
            histogram(semconv.METRIC_DURATION, "s", "Duration of an inference call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_EMBEDDINGS_DURATION, "s", "Duration of an embeddings call", semconv.DURATION_BUCKETS)
        if self._legacy:
            histogram(semconv.METRIC_LEGACY_DURATION, "s", "Duration of a call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_LEGACY_TOKENS, "{token}", "Tokens of a call", semconv.TOKEN_BUCKETS)

    def start(self, request: Request, attribution: Attribution | None) -> Span:
        """A client span with what sampling may look at."""
        if self._tracer is None:
            return _UNSET_SPAN
        attributes: dict[str, Any] = {
            semconv.GEN_AI_OPERATION: request.gen_ai_operation,
            semconv.PROVIDER: request.provider,
            semconv.REQUEST_MODEL: request.model,
            semconv.SERVER_ADDRESS: request.server_address,
        }
        if request.server_port:
            attributes[semconv.SERVER_PORT] = request.server_port
        if request.stream:
            attributes[semconv.REQUEST_STREAM] = True
        if attribution is not None and attribution.tenant_id:
            attributes[semconv.TENANT_ID] = attribution.tenant_id
        return self._tracer.start_span(f"{request.gen_ai_operation} {request.model}", None, SpanKind.CLIENT, attributes)

    def finish(self, span: Span, usage: Usage, answer: Answer) -> None:
        """End the span and add to the metrics."""
        if span is not _UNSET_SPAN and span.is_recording():
            span.set_attributes(_span_attributes(usage, answer))
            if usage.error_type:
                span.set_status(_ERROR)
            span.end()
        self.count(usage)
        if self._latest and usage.duration_ns is not None:
            name = semconv.METRIC_EMBEDDINGS_DURATION if usage.gen_ai_operation == "embeddings" else semconv.METRIC_DURATION
            self._histograms[name].record(usage.duration_ns / 1e9, _duration_attributes(usage))
        if self._legacy:
            self._count_legacy(usage)

    def count(self, usage: Usage) -> None:
        """Add to the sums that the token counters report."""
        if not self._latest:
            return
        key = (usage.gen_ai_operation, usage.provider, usage.request_model, usage.response_model, usage.server_address, usage.server_port)
        with _totals_lock:
            row = _totals.get(key)
            if row is None:
                row = _totals[key] = [0, 0, 0, 0, 0]
            row[0] += usage.input_tokens or 0
            row[1] += usage.output_tokens or 0
            row[2] += usage.cache_read_tokens or 0
            row[3] += usage.cache_write_tokens or 0
            row[4] += usage.reasoning_tokens or 0

    def _count_legacy(self, usage: Usage) -> None:
        attributes = _duration_attributes(usage)
        if usage.duration_ns is not None:
            self._histograms[semconv.METRIC_LEGACY_DURATION].record(usage.duration_ns / 1e9, attributes)
        tokens = self._histograms[semconv.METRIC_LEGACY_TOKENS]
        for kind, value in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if value is not None:
                tokens.record(value, attributes | {semconv.GEN_AI_TOKEN_TYPE: kind})


def _observe_totals(meter: metrics.Meter) -> None:
    """Let the SDK read the table; once in a process, or two callbacks would report the same sums."""
    global _observed  # noqa: PLW0603
    if _observed:
        return
    _observed = True
    for place, (name, description) in enumerate(_COUNTERS):
        meter.create_observable_counter(name, [_observer(place, embeddings=False)], "{token}", description)
    meter.create_observable_counter(semconv.METRIC_EMBEDDINGS_INPUT_TOKENS, [_observer(0, embeddings=True)], "{token}", "Input tokens of embeddings")


def _observer(place: int, *, embeddings: bool) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        with _totals_lock:
            rows = [(key, row[place]) for key, row in _totals.items() if (key[0] == "embeddings") is embeddings]
        return [Observation(value, _row_attributes(key)) for key, value in rows]

    return observe


def after_fork() -> None:
    """Start the sums anew in a forked child: the parent reports its own."""
    global _totals_lock  # noqa: PLW0603
    _totals_lock = threading.Lock()
    _totals.clear()


def _row_attributes(key: tuple[Any, ...]) -> dict[str, Any]:
    operation, provider, request_model, response_model, address, port = key
    attributes = {
        semconv.GEN_AI_OPERATION: operation,
        semconv.PROVIDER: provider,
        semconv.REQUEST_MODEL: request_model,
        semconv.TOKEN_MODALITY: "unknown",  # the providers' totals are not split by modality; guessing text is not allowed
    }
    if response_model:
        attributes[semconv.RESPONSE_MODEL] = response_model
    if address:
        attributes[semconv.SERVER_ADDRESS] = address
    if port:
        attributes[semconv.SERVER_PORT] = port
    return attributes


def _duration_attributes(usage: Usage) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        semconv.GEN_AI_OPERATION: usage.gen_ai_operation,
        semconv.PROVIDER: usage.provider,
        semconv.REQUEST_MODEL: usage.request_model,
        semconv.RESPONSE_MODEL: usage.response_model,
        semconv.SERVER_ADDRESS: usage.server_address,
    }
    if usage.error_type:
        attributes[semconv.ERROR_TYPE] = usage.error_type
    return attributes


_SPAN_COUNTS = (
    ("input_tokens", semconv.INPUT_TOKENS),
    ("output_tokens", semconv.OUTPUT_TOKENS),
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_input_tokens", semconv.IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS),
)


def _span_attributes(usage: Usage, answer: Answer) -> dict[str, Any]:
    attributes: dict[str, Any] = {semconv.KEY: usage.key, semconv.OPERATION: usage.operation}
    if usage.response_model:
        attributes[semconv.RESPONSE_MODEL] = usage.response_model
    if usage.response_id:
        attributes[semconv.RESPONSE_ID] = usage.response_id
    if answer.finish_reasons:
        attributes[semconv.FINISH_REASONS] = tuple(answer.finish_reasons)
    for field, name in _SPAN_COUNTS:
        value = getattr(usage, field)
        if value is not None:
            attributes[name] = value
    if usage.time_to_first_chunk_ns is not None:
        attributes[semconv.TIME_TO_FIRST_CHUNK] = usage.time_to_first_chunk_ns / 1e9
    if usage.ended != "complete":
        attributes[semconv.ENDED] = usage.ended
    if usage.error_type:
        attributes[semconv.ERROR_TYPE] = usage.error_type
    return attributes


def start_block(name: str, block: Attribution) -> Span | None:
    """A span for a `track_tokens` block; it never carries counts, which only leaves do. `None` where spans are off."""
    in_force = settings.current()
    if not in_force.spans or in_force.otel_sdk_disabled or in_force.disabled:
        return None
    attributes = {semconv.TENANT_ID: block.tenant_id, semconv.OPERATION: block.operation, semconv.OPERATION_ID: block.operation_id}
    return trace.get_tracer(semconv.SCOPE).start_span(name, attributes={key: value for key, value in attributes.items() if value})


def end_block(span: Span, error: BaseException | None) -> None:
    """End a block's span; an error's message stays out, since it may hold a prompt."""
    if error is not None:
        span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
        span.set_status(_ERROR)
    span.end()


def attach(span: Span) -> Any:
    """Make the span current, for spans of the HTTP client below it; the token goes to `detach`."""
    return context.attach(trace.set_span_in_context(span))


detach = context.detach
