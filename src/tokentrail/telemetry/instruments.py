"""Spans and metrics of calls, under one set of settings. Without an OpenTelemetry SDK all are no-ops."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import baggage, context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode

from tokentrail import semconv
from tokentrail.telemetry.measurements import Measurements, call_attributes, context_of
from tokentrail.telemetry.sums import MOST_TOKENS, USUAL_PORT, Key, Sums

if TYPE_CHECKING:
    from tokentrail.attribution import Attribution
    from tokentrail.instrumentation.contract import Answer, Request
    from tokentrail.settings import Settings
    from tokentrail.usage import Usage

__all__ = ["Telemetry", "attach", "attach_context", "current_context", "detach", "end_block", "error_type", "without_members"]

_ERROR: Final = Status(StatusCode.ERROR)
HTTP_ERRORS: Final = range(300, 1000)
_BAGGAGE: Final = next(iter(baggage.set_baggage("any", "", Context())))
"""The key of OpenTelemetry's baggage in a context: read by each call, where `baggage.get_all` would be four function calls."""
MEMBERS: Final = (semconv.BAGGAGE_TENANT_ID, semconv.BAGGAGE_OPERATION_ID)
"""What a request to one's own service carries as W3C baggage, and a request to a provider never."""


class Telemetry:
    """Spans and metrics of calls: for observation, never for billing. `observe` registers sums and measurements with the SDK's meter."""

    def __init__(self, settings: Settings, sums: Sums, measurements: Measurements, observe: Callable[[Meter], None]) -> None:
        self._sums = sums
        self._measurements = measurements
        self._observe = observe
        off = settings.otel_sdk_disabled or settings.disabled
        self._tracer = trace.get_tracer(semconv.SCOPE) if settings.spans and not off else None
        self._latest = settings.metrics in ("latest", "both") and not off
        self._distributions = self._latest and settings.all_histograms
        self._legacy = settings.metrics in ("legacy", "both") and not off
        self._histograms: dict[str, Histogram] = {}
        if self._latest or self._legacy:
            self._make_instruments(metrics.get_meter(semconv.SCOPE))

    def _make_instruments(self, meter: Meter) -> None:
        def histogram(name: str, unit: str, description: str, buckets: tuple[float, ...]) -> None:
            self._histograms[name] = meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(buckets))

        self._observe(meter)
        if self._latest:
            histogram(semconv.METRIC_DURATION, "s", "Duration of an inference call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_EMBEDDINGS_DURATION, "s", "Duration of an embeddings call", semconv.DURATION_BUCKETS)
        if self._distributions:
            histogram(semconv.METRIC_OPERATION_INPUT_TOKENS, "{token}", "Input tokens of an inference call", semconv.TOKEN_BUCKETS)
            histogram(semconv.METRIC_OPERATION_OUTPUT_TOKENS, "{token}", "Output tokens of an inference call", semconv.TOKEN_BUCKETS)
            histogram(semconv.METRIC_EMBEDDINGS_OPERATION_TOKENS, "{token}", "Input tokens of an embeddings call", semconv.TOKEN_BUCKETS)
            histogram(semconv.METRIC_TIME_TO_FIRST_CHUNK, "s", "Time until a stream's first chunk", semconv.DURATION_BUCKETS)
        if self._legacy:
            histogram(semconv.METRIC_LEGACY_DURATION, "s", "Duration of a call", semconv.DURATION_BUCKETS)
            histogram(semconv.METRIC_LEGACY_TOKENS, "{token}", "Tokens of a call", semconv.TOKEN_BUCKETS)

    def start(self, request: Request, attribution: Attribution | None, parent: Context, ts: int) -> Span | None:
        """Starts a client span at `ts` (UTC nanoseconds), with the attributes that samplers may read; `None` where spans are off."""
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
        if request.server_port not in (0, USUAL_PORT):
            attributes[semconv.SERVER_PORT] = request.server_port
        if request.stream:
            attributes[semconv.REQUEST_STREAM] = True
        if attribution is not None and attribution.tenant_id:
            attributes[semconv.TENANT_ID] = attribution.tenant_id
        return tracer.start_span(name, parent, SpanKind.CLIENT, attributes, None, ts)

    def start_block(self, name: str, block: Attribution) -> Span | None:
        """Starts the span of a `track_tokens` block, which never gets counts: only leaves do. `None` where there are no spans."""
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

    def correct(self, span: Span | None, request: Request) -> None:
        """Sets the attributes of provider and server again, which the answer has corrected since the span's start."""
        if span is not None:
            span.set_attribute(semconv.PROVIDER, request.provider)
            if request.server_address:
                span.set_attribute(semconv.SERVER_ADDRESS, request.server_address)
            # the usual port is told only in the place of another one, which no span can take back
            if request.server_port not in (0, USUAL_PORT) or semconv.SERVER_PORT in (getattr(span, "attributes", None) or {}):
                span.set_attribute(semconv.SERVER_PORT, request.server_port or USUAL_PORT)

    def finish(self, span: Span | None, usage: Usage, answer: Answer, span_context: SpanContext) -> None:
        """Ends the span and adds to the metrics. The span is as long as the usage's duration, also if the wall clock was set meanwhile."""
        duration = usage.duration_ns or 0
        if span is not None and span.__class__ is not NonRecordingSpan:
            span.set_attributes(_span_attributes(usage, answer))
            if usage.error_type:
                span.set_status(_ERROR)
            span.end(usage.ts + duration)
        self._measure(usage, duration, span_context)

    def finish_uncounted(self, span: Span | None, end: int, error: BaseException | None) -> None:
        """Ends the span of a call whose answer came from an inner call, which has its own span and counts."""
        if span is not None:
            if error is not None:
                span.set_attribute(semconv.ERROR_TYPE, error_type(error))
                span.set_status(_ERROR)
            span.end(end)

    def record(self, usage: Usage) -> None:
        """Adds the tokens and the duration (if stated) of a usage recorded by hand. Corrections are ignored, because sums only grow."""
        if usage.corrects_key or not usage.gen_ai_operation:
            return
        self._measure(usage, usage.duration_ns, trace.get_current_span().get_span_context())

    def _measure(self, usage: Usage, duration: int | None, span: SpanContext) -> None:
        key = (usage.gen_ai_operation, usage.provider, usage.request_model, usage.response_model, usage.server_address, usage.server_port)
        if self._latest:
            self._sums.add(usage, key)
            if duration is not None:
                name = semconv.METRIC_EMBEDDINGS_DURATION if usage.gen_ai_operation == "embeddings" else semconv.METRIC_DURATION
                self._measurements.add(self._histograms[name], duration / 1e9, key, usage.error_type, span)
            if self._distributions:
                self._distribute(usage, key, span)
        if self._legacy:
            if duration is not None:
                self._measurements.add(self._histograms[semconv.METRIC_LEGACY_DURATION], duration / 1e9, key, usage.error_type, span)
            tokens = self._histograms[semconv.METRIC_LEGACY_TOKENS]
            for kind, value in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                if value is not None and 0 <= value <= MOST_TOKENS:
                    tokens.record(value, call_attributes(key, "") | {semconv.GEN_AI_TOKEN_TYPE: kind}, context_of(span))

    def _distribute(self, usage: Usage, key: Key, span: SpanContext) -> None:
        """Adds to the histograms of single calls; the conventions leave out the tokens of calls that failed."""
        if usage.gen_ai_operation == "embeddings":
            tokens = {semconv.METRIC_EMBEDDINGS_OPERATION_TOKENS: usage.input_tokens}
        else:
            tokens = {semconv.METRIC_OPERATION_INPUT_TOKENS: usage.input_tokens, semconv.METRIC_OPERATION_OUTPUT_TOKENS: usage.output_tokens}
        for name, count in tokens.items():
            if count is not None and 0 <= count <= MOST_TOKENS and not usage.error_type:
                self._measurements.add(self._histograms[name], count, key, "", span)
        if usage.time_to_first_chunk_ns is not None:
            seconds = usage.time_to_first_chunk_ns / 1e9
            self._measurements.add(self._histograms[semconv.METRIC_TIME_TO_FIRST_CHUNK], seconds, key, usage.error_type, span)


def _span_attributes(usage: Usage, answer: Answer) -> dict[str, Any]:  # noqa: C901, PLR0912 - one line an attribute: a loop would cost a call for each
    """Returns the attributes of the answer. A subset of 0 tokens is left out, since each attribute costs; the ledger separates 0 from unknown."""
    attributes: dict[str, Any] = {semconv.OPERATION: usage.operation}
    if usage.response_model:
        attributes[semconv.RESPONSE_MODEL] = usage.response_model
    if usage.response_id:
        attributes[semconv.RESPONSE_ID] = usage.response_id
    if answer.finish_reasons:
        attributes[semconv.FINISH_REASONS] = tuple(answer.finish_reasons)
    # every count (span), written by `make docs`
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
    if usage.cache_write_1h_tokens:
        attributes[semconv.CACHE_WRITE_1H_TOKENS] = usage.cache_write_1h_tokens
    # every count, end
    if usage.time_to_first_chunk_ns is not None:
        attributes[semconv.TIME_TO_FIRST_CHUNK] = usage.time_to_first_chunk_ns / 1e9
    if usage.ended != "complete":
        attributes[semconv.ENDED] = usage.ended
    if usage.error_type:
        attributes[semconv.ERROR_TYPE] = usage.error_type
    return attributes


def end_block(span: Span, error: BaseException | None = None, end_time: int | None = None) -> None:
    """Ends a block's span, now or at `end_time` (UTC nanoseconds); an error's message is left out, because a message may hold a prompt."""
    if error is not None:
        span.set_attribute(semconv.ERROR_TYPE, error_type(error))
        span.set_status(_ERROR)
    span.end(end_time)


def error_type(error: BaseException) -> str:
    """Returns the HTTP status of the error if the provider sent one, else the exception's qualified name: the conventions' rule for `error.type`."""
    # `code` is Google's; OpenAI's is a word; that of websockets is no status, and warns those who read it. `http_status` is Voyage's.
    for name in ("status_code",) if type(error).__module__.startswith("websockets.") else ("status_code", "code", "http_status"):
        status = getattr(error, name, None)
        if type(status) is int and status in HTTP_ERRORS:  # Ollama's SDK has -1 for an error within a stream
            return str(status)
    answered = getattr(getattr(error, "response", None), "status_code", None)  # of HTTP clients' own exceptions, and those upon them
    if type(answered) is int and answered in HTTP_ERRORS:
        return str(answered)
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def attach(span: Span, parent: Context | None = None) -> Token[Context]:
    """Makes the span current, as the parent of the HTTP client's spans; the returned token is passed to `detach`."""
    return context.attach(trace.set_span_in_context(span, parent))


def attach_context(wanted: Context) -> Token[Context]:
    """Makes a context current; the returned token is passed to `detach`."""
    return context.attach(wanted)


def without_members(parent: Context) -> Context:
    """Returns the context without tokentrail's members of W3C baggage; the same context if there are none.

    OpenTelemetry's propagators put what a caller's header `baggage` stated into every request that leaves, also into a provider's.
    """
    stated: Any = parent.get(_BAGGAGE)
    if stated:
        for name in MEMBERS:
            if name in stated:
                parent = baggage.remove_baggage(name, parent)
    return parent


current_context = context.get_current
detach = context.detach
