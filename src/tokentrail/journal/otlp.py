"""Journal records as OTLP log records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord

from tokentrail import semconv
from tokentrail.journal.records import Header
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["attributes", "request"]

# field of Usage -> attribute. A field that holds its "not stated" value is left out: "", None, False and 0 (see `attributes`).
_FIELDS: Final = (
    ("key", semconv.KEY),
    ("key_kind", semconv.KEY_KIND),
    ("key_time", semconv.KEY_TIME),
    ("call", semconv.CALL),
    ("tenant_id", semconv.TENANT_ID),
    ("operation", semconv.OPERATION),
    ("token_type", semconv.TOKEN_TYPE),
    ("operation_id", semconv.OPERATION_ID),
    ("metadata", semconv.METADATA),
    ("metadata_cut", semconv.METADATA_CUT),
    ("endpoint", semconv.ENDPOINT),
    ("gen_ai_operation", semconv.GEN_AI_OPERATION),
    ("provider", semconv.PROVIDER),
    ("request_model", semconv.REQUEST_MODEL),
    ("response_model", semconv.RESPONSE_MODEL),
    ("response_id", semconv.RESPONSE_ID),
    ("model_family", semconv.MODEL_FAMILY),
    ("server_address", semconv.SERVER_ADDRESS),
    ("server_port", semconv.SERVER_PORT),
    ("stream", semconv.REQUEST_STREAM),
    ("ended", semconv.ENDED),
    ("error_type", semconv.ERROR_TYPE),
    ("attempts", semconv.ATTEMPTS),
    ("corrects_key", semconv.CORRECTS_KEY),
    ("tokenizer", semconv.TOKENIZER),
    ("input_source", semconv.INPUT_SOURCE),
    ("output_source", semconv.OUTPUT_SOURCE),
)
# here 0 is a value of its own, and only None is left out
_NUMBERS: Final = (
    ("calls", semconv.CALLS),
    ("duration_ns", semconv.DURATION_NS),
    ("time_to_first_chunk_ns", semconv.TIME_TO_FIRST_CHUNK_NS),
    ("input_tokens", semconv.INPUT_TOKENS),
    ("output_tokens", semconv.OUTPUT_TOKENS),
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_input_tokens", semconv.IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS),
    ("consumed_input_tokens", semconv.CONSUMED_INPUT_TOKENS),
    ("consumed_output_tokens", semconv.CONSUMED_OUTPUT_TOKENS),
    ("input_chars", semconv.INPUT_CHARS),
    ("output_chars", semconv.OUTPUT_CHARS),
    ("texts", semconv.TEXTS),
)


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(f"{low}-{high}" for low, high in ranges)


def attributes(record: Usage | Refused | Closing, number: int, writer_id: str) -> dict[str, str | int | bool]:
    """A record's attributes by name; the same for the Collector, the built-in receiver and tests."""
    found: dict[str, str | int | bool] = {semconv.SCHEMA: semconv.SCHEMA_VERSION, semconv.WRITER_ID: writer_id}
    if isinstance(record, Usage):
        found[semconv.EVENT] = semconv.EVENT_USAGE
        found[semconv.SEQ] = number
        for field, name in _FIELDS:
            value = getattr(record, field)
            if value:
                found[name] = value
        for field, name in _NUMBERS:
            value = getattr(record, field)
            if value is not None:
                found[name] = value
    elif isinstance(record, Closing):
        found[semconv.EVENT] = semconv.EVENT_CLOSING
        found[semconv.LAST_SEQ] = record.last_seq
        if record.closed_by:
            found[semconv.CLOSED_BY] = record.closed_by
        if record.damaged:
            found[semconv.DAMAGED_RANGES] = _ranges(record.damaged)
    else:
        found[semconv.EVENT] = semconv.EVENT_REFUSED
        found[semconv.REFUSED_RANGES] = _ranges(record.ranges)
    return found


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=_clean(value))


def _clean(text: str) -> str:
    """Protobuf takes no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _log_record(record: Usage | Refused | Closing, number: int, writer_id: str) -> LogRecord:
    found = attributes(record, number, writer_id)
    log = LogRecord(
        time_unix_nano=record.ts,
        severity_number=SEVERITY_NUMBER_INFO,
        event_name=f"{semconv.EVENT_NAME_PREFIX}{found[semconv.EVENT]}",
        attributes=[KeyValue(key=name, value=_any(value)) for name, value in found.items()],
    )
    if isinstance(record, Usage) and record.trace_id:
        log.trace_id = bytes.fromhex(record.trace_id)
        log.span_id = bytes.fromhex(record.span_id)
    return log


def request(header: Header, records: Iterable[tuple[int, Usage | Refused | Closing]]) -> bytes:
    """One OTLP request with a writer's records, serialized."""
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    for name, value in header.resource.items():
        resource_logs.resource.attributes.append(KeyValue(key=name, value=_any(value)))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = semconv.SCOPE
    scope_logs.log_records.extend(_log_record(record, number, header.writer_id) for number, record in records)
    return bytes(message.SerializeToString())
