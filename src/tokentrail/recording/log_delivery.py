"""The delivery of `delivery="otel"`: log records, sent through the program's own LoggerProvider and not through the journal.

Body and attributes of a log record are those that the shipper sends (`tokentrail.journal.otlp`), so the ledger reads both alike. The records are
numbered as a writer's, so `verify` names what the provider has dropped; nothing can bring it back, because no file holds it.
"""

from __future__ import annotations

import importlib
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from opentelemetry import trace

from tokentrail import semconv
from tokentrail.journal.records import INT64, encode, encode_usage
from tokentrail.process.mutexes import Mutex
from tokentrail.usage import Closing, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokentrail.process.diagnostics import Diagnostics
    from tokentrail.recording.delivery import Estimate, Texts

__all__ = ["LogDelivery", "provider_of_logs"]

WITHOUT_PROVIDER: Final = (
    'delivery is "otel" and the program has set no LoggerProvider (opentelemetry._logs.set_logger_provider): usages are numbered and not sent'
)


class LogDelivery:
    """Sends usages as log records. A usage is with the provider when `append` returns, and in memory until the provider exports it.

    `estimate` counts texts in the background; `on_begin` is called whenever a writer begins.
    """

    def __init__(self, estimate: Estimate, diagnostics: Diagnostics, *, on_begin: Callable[[], object] = lambda: None) -> None:
        self._estimate = estimate
        self._diagnostics = diagnostics
        self._on_begin = on_begin
        self._mutex = Mutex()
        self._writer: _Writer | None = None

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Passes a usage to the provider. Returns the usage's number, or minus that number if there is no provider or the provider failed."""
        writer, number = self._number(0 if texts is None else 1)
        sent = self._send(usage, encode_usage(usage, self._diagnostics.internal_error), writer, number)
        if texts is not None:

            def append_completed(completed: Usage) -> None:
                payload = encode_usage(completed, self._diagnostics.internal_error)
                following = writer.number()  # a call is known by writer and number, so the estimate is the same writer's
                self._send(completed, payload, writer, following)

            self._estimate(replace(usage, call=number), texts, append_completed, lambda: self._settle(writer))
        return number if sent else -number

    def flush(self, timeout: float) -> bool:
        """Calls `force_flush` of the provider, at most `timeout` seconds. True if the provider says so; records may have been dropped before."""
        try:
            flush = getattr(provider_of_logs(), "force_flush", None)
            return self._writer is None if flush is None else bool(flush(max(1, int(timeout * 1000))))
        except Exception as error:
            self._diagnostics.internal_error("log_delivery.flush", error)
            return False

    def close(self, deadline: float) -> None:
        """Sends the closing record, then flushes the provider until `deadline` (`time.monotonic`). A later append begins a new writer."""
        with self._mutex.lock:
            writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.closed = True
        self._settle(writer, estimates=0)
        self.flush(max(0.0, deadline - time.monotonic()))

    def forget_parent(self) -> None:
        """Begins anew in a forked child, whose first record begins a new writer: the parent closes its own."""
        self._writer = None

    def _number(self, estimates: int) -> tuple[_Writer, int]:
        """Returns the current writer and its next number; the writer then expects so many estimates more."""
        with self._mutex.lock:
            writer = self._writer
            begins = writer is None
            if writer is None:
                writer = self._writer = _Writer(self._mutex)
            number = writer.number()
            writer.expected += estimates
        if begins:
            self._on_begin()
        return writer, number

    def _settle(self, writer: _Writer, *, estimates: int = 1) -> None:
        """Counts estimates as done, and sends the closing record of a closed writer that expects none any more."""
        with self._mutex.lock:
            writer.expected -= estimates
            if not writer.closed or writer.ended or writer.expected > 0:
                return
            writer.ended = True
        closing = Closing(last_seq=writer.last_seq, ts=time.time_ns())
        self._send(closing, encode(closing), writer, 0)

    def _send(self, record: Usage | Closing, payload: bytes, writer: _Writer, number: int) -> bool:
        try:
            provider = provider_of_logs()
            if provider is None:
                self._diagnostics.count("log_delivery.provider")
                self._diagnostics.complain(WITHOUT_PROVIDER, about="log_delivery.provider")
                return False
            logger = provider.get_logger(semconv.SCOPE)
            logger.emit(_log_record(logger, record, payload.decode(), writer.writer_id, number))
        except Exception as error:  # a processor or exporter of the program may raise anything
            self._diagnostics.internal_error("log_delivery.send", error)
            return False
        return True


class _Writer:
    """A writer without files: an id, and the numbers of its records."""

    __slots__ = ("_mutex", "closed", "ended", "expected", "last_seq", "writer_id")

    def __init__(self, mutex: Mutex) -> None:
        self._mutex = mutex
        self.writer_id = uuid.uuid4().hex
        self.last_seq = 0
        self.expected = 0
        """Estimates that this writer has to send yet."""
        self.closed = False
        self.ended = False
        """Whether the closing record is sent."""

    def number(self) -> int:
        """Returns the next number."""
        with self._mutex.lock:
            self.last_seq += 1
            return self.last_seq


def provider_of_logs() -> Any:
    """Returns the program's LoggerProvider; None while the program has set none."""
    from opentelemetry._logs import NoOpLoggerProvider, get_logger_provider  # noqa: PLC0415 - programs with a journal do not need the API of logs

    provider = get_logger_provider()
    return None if isinstance(provider, NoOpLoggerProvider) or type(provider).__name__.startswith("Proxy") else provider


_EVENTS: Final = {Usage: semconv.EVENT_USAGE, Closing: semconv.EVENT_CLOSING}


def _attributes(record: Usage | Closing, event: str, writer_id: str, number: int) -> dict[str, str | int]:
    """Returns the attributes of a log record, as `tokentrail.journal.otlp` encodes them: what is not stated is left out."""
    attributes: dict[str, str | int] = {semconv.EVENT: event, semconv.SCHEMA: semconv.SCHEMA_VERSION, semconv.WRITER_ID: writer_id}
    if isinstance(record, Usage):
        attributes[semconv.SEQ] = number
        texts = {
            semconv.GEN_AI_OPERATION: record.gen_ai_operation,
            semconv.PROVIDER: record.provider,
            semconv.REQUEST_MODEL: record.request_model,
            semconv.RESPONSE_MODEL: record.response_model,
            semconv.ERROR_TYPE: record.error_type,
        }
        attributes |= {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items() if text}
        counts = {semconv.INPUT_TOKENS: record.input_tokens, semconv.OUTPUT_TOKENS: record.output_tokens}
        attributes |= {name: count for name, count in counts.items() if count is not None and count in INT64}
    return attributes


def _log_record(logger: Any, record: Usage | Closing, body: str, writer_id: str, number: int) -> Any:
    """Builds the log record that the logger takes: the API's, or for an SDK before 1.39 the SDK's own."""
    from opentelemetry._logs import LogRecord, SeverityNumber  # noqa: PLC0415 - see `provider_of_logs`

    event = _EVENTS[type(record)]
    span = _span_context(record)
    stated: dict[str, Any] = {
        "timestamp": record.ts,
        "observed_timestamp": time.time_ns(),
        "severity_number": SeverityNumber.INFO,
        "body": body,
        "attributes": _attributes(record, event, writer_id, number),
    }
    if type(logger).__module__.startswith("opentelemetry.sdk.") and not _takes_apis_records():
        sdk = importlib.import_module("opentelemetry.sdk._logs")
        return sdk.LogRecord(**stated, resource=logger.resource, trace_id=span.trace_id, span_id=span.span_id, trace_flags=span.trace_flags)
    context = trace.set_span_in_context(trace.NonRecordingSpan(span))
    return LogRecord(**stated, context=context, event_name=f"{semconv.EVENT_NAME_PREFIX}{event}")


@cache
def _takes_apis_records() -> bool:
    """Whether the SDK takes the API's log records; an SDK before 1.39 only exports its own."""
    return hasattr(importlib.import_module("opentelemetry.sdk._logs"), "ReadWriteLogRecord")


def _span_context(record: Usage | Closing) -> trace.SpanContext:
    """Returns trace and span of the call, or the invalid context: else the provider would state the span of whatever runs now."""
    if isinstance(record, Usage):
        try:
            found = trace.SpanContext(int(record.trace_id or "0", 16), int(record.span_id or "0", 16), is_remote=False)
        except ValueError:
            return trace.INVALID_SPAN_CONTEXT
        if found.is_valid:
            return found
    return trace.INVALID_SPAN_CONTEXT
