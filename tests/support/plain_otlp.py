"""Journal records as OTLP through protobuf's own objects: what the encoder by hand is held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord

from tokentrail import semconv
from tokentrail.journal.records import Header, encode
from tokentrail.usage import Closing, Refused, Usage


def any_value(value: Any) -> AnyValue:
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)


def attributes(record: Usage | Refused | Closing, number: int, writer_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {semconv.SCHEMA: semconv.SCHEMA_VERSION, semconv.WRITER_ID: writer_id, semconv.EVENT: type(record).__name__.lower()}
    if isinstance(record, Usage):
        found |= {
            semconv.SEQ: number,
            semconv.GEN_AI_OPERATION: record.gen_ai_operation,
            semconv.PROVIDER: record.provider,
            semconv.REQUEST_MODEL: record.request_model,
            semconv.RESPONSE_MODEL: record.response_model,
            semconv.ERROR_TYPE: record.error_type,
            semconv.INPUT_TOKENS: record.input_tokens,
            semconv.OUTPUT_TOKENS: record.output_tokens,
        }
    return {name: value for name, value in found.items() if value is not None and value != ""}


def log_record(record: Usage | Refused | Closing, number: int, writer_id: str) -> LogRecord:
    found = attributes(record, number, writer_id)
    log = LogRecord(
        time_unix_nano=record.ts,
        severity_number=SEVERITY_NUMBER_INFO,
        event_name=f"{semconv.EVENT_NAME_PREFIX}{found[semconv.EVENT]}",
        body=AnyValue(string_value=encode(record).decode()),
        attributes=sorted((KeyValue(key=name, value=any_value(value)) for name, value in found.items()), key=lambda pair: pair.key),
    )
    if isinstance(record, Usage) and record.trace_id:
        log.trace_id = bytes.fromhex(record.trace_id)
        log.span_id = bytes.fromhex(record.span_id)
    return log


def request(header: Header, records: Iterable[tuple[int, Usage | Refused | Closing]]) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    resource_logs.resource.SetInParent()
    for name, value in header.resource.items():
        resource_logs.resource.attributes.append(KeyValue(key=name, value=any_value(value)))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = semconv.SCOPE
    scope_logs.log_records.extend(log_record(record, number, header.writer_id) for number, record in records)
    return message
