"""Journal records as OTLP through protobuf's own objects: what the encoder by hand is held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord

from tokentrail import semconv
from tokentrail.journal.otlp import ATTRIBUTES
from tokentrail.journal.records import Header
from tokentrail.usage import Closing, Refused, Usage

LEFT_OUT_AT_0 = ("key_time", "call", "server_port", "attempts")


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=value)


def ranges(pairs: Iterable[tuple[int, int]]) -> str:
    return ",".join(f"{low}-{high}" for low, high in pairs)


def attributes(record: Usage | Refused | Closing, number: int, writer_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {semconv.SCHEMA: semconv.SCHEMA_VERSION, semconv.WRITER_ID: writer_id}
    if isinstance(record, Usage):
        found |= {semconv.EVENT: semconv.EVENT_USAGE, semconv.SEQ: number}
        for field, name in ATTRIBUTES.items():
            value = getattr(record, field)
            if value is None or value == "" or value is False or (value == 0 and field in LEFT_OUT_AT_0):
                continue
            found[name] = value
    elif isinstance(record, Closing):
        found |= {semconv.EVENT: semconv.EVENT_CLOSING, semconv.LAST_SEQ: record.last_seq}
        if record.closed_by:
            found[semconv.CLOSED_BY] = record.closed_by
        if record.damaged:
            found[semconv.DAMAGED_RANGES] = ranges(record.damaged)
    else:
        found |= {semconv.EVENT: semconv.EVENT_REFUSED, semconv.REFUSED_RANGES: ranges(record.ranges)}
        if record.damaged:
            found[semconv.DAMAGED_RANGES] = ranges(record.ranges)
    return found


def log_record(record: Usage | Refused | Closing, number: int, writer_id: str) -> LogRecord:
    found = attributes(record, number, writer_id)
    log = LogRecord(
        time_unix_nano=record.ts,
        severity_number=SEVERITY_NUMBER_INFO,
        event_name=f"{semconv.EVENT_NAME_PREFIX}{found[semconv.EVENT]}",
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
