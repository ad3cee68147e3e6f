"""Converts OTLP log requests to rows in the form of the Collector's ClickHouse exporter, for the landing table or the table of logs.

This is the careful way, for every request. Usual requests are read by the engine itself (`tokentrail.embedded.otlp_engine`), with the same rows.
Source: exporter_logs.go of clickhouseexporter v0.161.0.
"""

from __future__ import annotations

from typing import Any, Final

from tokentrail import semconv
from tokentrail.embedded.otlp_rows import Row, Rows, hex_id
from tokentrail.embedded.otlp_values import attributes, service_name, text, timestamp

__all__ = ["EVENT_TABLE", "LOGS_TABLE", "log_rows", "repeated_bytes"]

EVENT_TABLE: Final = "usage_landing"
LOGS_TABLE: Final = "otel_logs"


def repeated_bytes(request: Any) -> int:
    """Returns how many bytes resource and scope take in the rows of a request: each row repeats both."""
    size = 0
    for resource_logs in request.resource_logs:
        of_resource = resource_logs.resource.ByteSize() + len(resource_logs.schema_url)
        for scope_logs in resource_logs.scope_logs:
            size += (of_resource + scope_logs.scope.ByteSize() + len(scope_logs.schema_url)) * len(scope_logs.log_records)
    return size


def log_rows(request: Any) -> Rows:
    """Returns the rows of an ExportLogsServiceRequest, the landing table's first."""
    events: list[Row] = []
    others: list[Row] = []
    for resource_logs in request.resource_logs:
        resource = attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            shared = {
                "ServiceName": service_name(resource),
                "ResourceSchemaUrl": resource_logs.schema_url,
                "ResourceAttributes": resource,
                "ScopeSchemaUrl": scope_logs.schema_url,
                "ScopeName": scope_logs.scope.name,
                "ScopeVersion": scope_logs.scope.version,
                "ScopeAttributes": attributes(scope_logs.scope.attributes),
            }
            for record in scope_logs.log_records:
                row = _log_row(record) | shared
                (events if semconv.EVENT in row["LogAttributes"] else others).append(row)
    return {EVENT_TABLE: events, LOGS_TABLE: others}


def _log_row(record: Any) -> Row:
    return {
        "Timestamp": timestamp(record.time_unix_nano or record.observed_time_unix_nano),
        "TraceId": hex_id(record.trace_id),
        "SpanId": hex_id(record.span_id),
        "TraceFlags": record.flags & 0xFF,
        "SeverityText": record.severity_text,
        "SeverityNumber": record.severity_number & 0xFF,
        "Body": text(record.body),
        "LogAttributes": attributes(record.attributes),
        "EventName": record.event_name,
    }
