"""Converts OTLP requests of spans and metrics to rows, in the form of the Collector's ClickHouse exporter, whether through a Collector or not.

Source: exporter_traces.go and internal/metrics of clickhouseexporter v0.161.0. A row is a mapping of column to value, for JSONEachRow; nested columns
are parallel arrays (`Events.Name`). Log records have rows of their own (`tokentrail.embedded.otlp_logs`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from tokentrail.embedded.otlp_values import attributes, service_name, timestamp

__all__ = ["TRACES_TABLE", "Row", "Rows", "hex_id", "metric_rows", "span_rows"]

TRACES_TABLE: Final = "otel_traces"

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""Rows by table, in the order of writing."""

KINDS: Final = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUSES: Final = ("Unset", "Ok", "Error")


def span_rows(request: Any) -> Rows:
    """Returns the rows of spans for the trace table."""
    rows: list[Row] = []
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            shared = {
                "ServiceName": service_name(resource),
                "ResourceAttributes": resource,
                "ScopeName": scope_spans.scope.name,
                "ScopeVersion": scope_spans.scope.version,
            }
            rows.extend(_span_row(span) | shared for span in scope_spans.spans)
    return {TRACES_TABLE: rows}


def _span_row(span: Any) -> Row:
    return {
        "Timestamp": timestamp(span.start_time_unix_nano),
        "TraceId": hex_id(span.trace_id),
        "SpanId": hex_id(span.span_id),
        "ParentSpanId": hex_id(span.parent_span_id),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": _named(KINDS, span.kind),
        "SpanAttributes": attributes(span.attributes),
        "Duration": (span.end_time_unix_nano - span.start_time_unix_nano) & ((1 << 64) - 1),
        "StatusCode": _named(STATUSES, span.status.code),
        "StatusMessage": span.status.message,
        "Events.Timestamp": [timestamp(event.time_unix_nano) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [attributes(event.attributes) for event in span.events],
        "Links.TraceId": [hex_id(link.trace_id) for link in span.links],
        "Links.SpanId": [hex_id(link.span_id) for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [attributes(link.attributes) for link in span.links],
    }


def metric_rows(request: Any) -> tuple[Rows, int]:
    """Returns the rows of data points, by the table of the metric's kind, and the number of metrics without a kind, which are left out."""
    rows: Rows = {table: [] for table, _ in METRICS.values()}
    unknown = 0
    for resource_metrics in request.resource_metrics:
        resource = attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            shared = {
                "ResourceAttributes": resource,
                "ResourceSchemaUrl": resource_metrics.schema_url,
                "ScopeName": scope_metrics.scope.name,
                "ScopeVersion": scope_metrics.scope.version,
                "ScopeAttributes": attributes(scope_metrics.scope.attributes),
                "ScopeDroppedAttrCount": scope_metrics.scope.dropped_attributes_count,
                "ScopeSchemaUrl": scope_metrics.schema_url,
                "ServiceName": service_name(resource),
            }
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    unknown += 1
                    continue
                table, row_of = METRICS[kind]
                data = getattr(metric, kind)
                named = shared | {"MetricName": metric.name, "MetricDescription": metric.description, "MetricUnit": metric.unit}
                rows[table].extend(_point_row(point) | row_of(point, data) | named for point in data.data_points)
    return rows, unknown


def _point_row(point: Any) -> Row:
    return {
        "Attributes": attributes(point.attributes),
        "StartTimeUnix": timestamp(point.start_time_unix_nano),
        "TimeUnix": timestamp(point.time_unix_nano),
        "Flags": point.flags,
    }


def _gauge_row(point: Any, _gauge: Any) -> Row:
    return {"Value": _value(point), **_exemplars(point.exemplars)}


def _sum_row(point: Any, total: Any) -> Row:
    return {
        "Value": _value(point),
        **_exemplars(point.exemplars),
        "AggregationTemporality": total.aggregation_temporality,
        "IsMonotonic": total.is_monotonic,
    }


def _histogram_row(point: Any, histogram: Any) -> Row:
    return {
        "Count": point.count,
        "Sum": _float(point.sum),
        "BucketCounts": list(point.bucket_counts),
        "ExplicitBounds": [_float(bound) for bound in point.explicit_bounds],
        **_exemplars(point.exemplars),
        "Min": _float(point.min),
        "Max": _float(point.max),
        "AggregationTemporality": histogram.aggregation_temporality,
    }


def _exponential_row(point: Any, histogram: Any) -> Row:
    return {
        "Count": point.count,
        "Sum": _float(point.sum),
        "Scale": point.scale,
        "ZeroCount": point.zero_count,
        "PositiveOffset": point.positive.offset,
        "PositiveBucketCounts": list(point.positive.bucket_counts),
        "NegativeOffset": point.negative.offset,
        "NegativeBucketCounts": list(point.negative.bucket_counts),
        **_exemplars(point.exemplars),
        "Min": _float(point.min),
        "Max": _float(point.max),
        "AggregationTemporality": histogram.aggregation_temporality,
    }


def _summary_row(point: Any, _summary: Any) -> Row:
    return {
        "Count": point.count,
        "Sum": _float(point.sum),
        "ValueAtQuantiles.Quantile": [_float(entry.quantile) for entry in point.quantile_values],
        "ValueAtQuantiles.Value": [_float(entry.value) for entry in point.quantile_values],
    }


METRICS: Final[dict[str, tuple[str, Callable[[Any, Any], Row]]]] = {
    "gauge": ("otel_metrics_gauge", _gauge_row),
    "sum": ("otel_metrics_sum", _sum_row),
    "histogram": ("otel_metrics_histogram", _histogram_row),
    "exponential_histogram": ("otel_metrics_exponential_histogram", _exponential_row),
    "summary": ("otel_metrics_summary", _summary_row),
}


def _exemplars(exemplars: Iterable[Any]) -> Row:
    found = list(exemplars)
    return {
        "Exemplars.FilteredAttributes": [attributes(exemplar.filtered_attributes) for exemplar in found],
        "Exemplars.TimeUnix": [timestamp(exemplar.time_unix_nano) for exemplar in found],
        "Exemplars.Value": [_value(exemplar) for exemplar in found],
        "Exemplars.SpanId": [exemplar.span_id.hex() or "0" * 16 for exemplar in found],  # for exemplars the exporter writes zeros, not an empty text
        "Exemplars.TraceId": [exemplar.trace_id.hex() or "0" * 32 for exemplar in found],
    }


def _value(point: Any) -> float | str:
    """Returns the number of a point; like the exporter, stores integers as doubles, exact up to 2^53."""
    return float(point.as_int) if point.WhichOneof("value") == "as_int" else _float(point.as_double)


def _float(number: float) -> float | str:
    """Returns NaN and infinities as texts, which ClickHouse reads: JSON has no such numbers."""
    return number if math.isfinite(number) else str(number)


def hex_id(raw: bytes) -> str:
    """Returns an id in hex; an absent id, or an id of zeros, is empty."""
    return raw.hex() if any(raw) else ""


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else ""
