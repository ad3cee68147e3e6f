"""Rows of OTLP logs made in the plainest way: from protobuf's objects, one mapping of column to value a row, for JSONEachRow."""

from __future__ import annotations

from typing import Any

from tokentrail import semconv
from tokentrail.embedded.otlp_values import attributes, service_name, text, timestamp

Rows = dict[str, list[dict[str, Any]]]


def log_rows(request: Any) -> Rows:
    """The rows of a request, by table: records of the ledger for the landing table, all others for the log table."""
    rows: Rows = {"usage_landing": [], "otel_logs": []}
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
                rows["usage_landing" if semconv.EVENT in row["LogAttributes"] else "otel_logs"].append(row)
    return rows


def _log_row(record: Any) -> dict[str, Any]:
    return {
        "Timestamp": timestamp(record.time_unix_nano or record.observed_time_unix_nano),
        "TraceId": _id(record.trace_id),
        "SpanId": _id(record.span_id),
        "TraceFlags": record.flags & 0xFF,
        "SeverityText": record.severity_text,
        "SeverityNumber": record.severity_number & 0xFF,
        "Body": text(record.body),
        "LogAttributes": attributes(record.attributes),
        "EventName": record.event_name,
    }


def _id(raw: bytes) -> str:
    return raw.hex() if any(raw) else ""
