"""What tokentrail's spans and metrics may look like: names, types, units and buckets, written down apart from the code that makes them.

From the GenAI conventions of 2026 (semantic-conventions-genai: spans, metrics, token-metrics) and, as `legacy`, those up to v1.41.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics.export import Gauge, Histogram, MetricsData, Sum
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from tokentrail.counts import COUNTS

SPAN_ATTRIBUTES: dict[str, type] = {
    "gen_ai.operation.name": str,
    "gen_ai.provider.name": str,
    "gen_ai.request.model": str,
    "gen_ai.request.stream": bool,
    "gen_ai.response.model": str,
    "gen_ai.response.id": str,
    "gen_ai.response.finish_reasons": tuple,
    "gen_ai.response.time_to_first_chunk": float,
    "gen_ai.usage.input_tokens": int,
    "gen_ai.usage.output_tokens": int,
    "gen_ai.usage.cache_read.input_tokens": int,
    "gen_ai.usage.cache_write.input_tokens": int,
    "gen_ai.usage.reasoning.output_tokens": int,
    "gen_ai.usage.audio.input_tokens": int,
    "gen_ai.usage.audio.output_tokens": int,
    "gen_ai.usage.image.input_tokens": int,
    "gen_ai.usage.image.output_tokens": int,
    "server.address": str,
    "server.port": int,
    "error.type": str,
    "tokentrail.tenant_id": str,
    "tokentrail.operation": str,
    "tokentrail.ended": str,
    **{count.attribute: int for count in COUNTS if count.attribute.startswith("tokentrail.") and count.kind == "subset"},
}
BLOCK_ATTRIBUTES: dict[str, type] = {
    "tokentrail.tenant_id": str,
    "tokentrail.operation": str,
    "tokentrail.operation.id": str,
    "error.type": str,
}
REQUIRED_OF_SPANS = {"gen_ai.operation.name", "gen_ai.provider.name"}

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

_CALL: dict[str, type] = {
    "gen_ai.operation.name": str,
    "gen_ai.provider.name": str,
    "gen_ai.request.model": str,
    "gen_ai.response.model": str,
    "server.address": str,
    "server.port": int,
}
_COUNTER = _CALL | {"gen_ai.token.modality": str, "otel.metric.overflow": bool}
_DURATION = _CALL | {"error.type": str}


@dataclass(frozen=True)
class Metric:
    """One metric's contract."""

    kind: str  # sum: monotonic and cumulative; histogram
    unit: str
    attributes: dict[str, type]
    required: frozenset[str]
    value: type = int
    buckets: tuple[float, ...] = ()


_NAMED = frozenset({"gen_ai.operation.name", "gen_ai.provider.name"})
_tokens = Metric("sum", "{token}", _COUNTER, _NAMED | {"gen_ai.token.modality"})
_seconds = Metric("histogram", "s", _DURATION, _NAMED, float, SECONDS)
LATEST = {
    "gen_ai.client.inference.usage.input_tokens": _tokens,
    "gen_ai.client.inference.usage.output_tokens": _tokens,
    "gen_ai.client.inference.usage.cache_read.input_tokens": _tokens,
    "gen_ai.client.inference.usage.cache_write.input_tokens": _tokens,
    "gen_ai.client.inference.usage.reasoning.output_tokens": _tokens,
    "gen_ai.client.inference.duration": _seconds,
    "gen_ai.client.embeddings.duration": _seconds,
    "tokentrail.embeddings.usage.input_tokens": _tokens,
}
_each_tokens = Metric("histogram", "{token}", _CALL, _NAMED, int, TOKENS)
DISTRIBUTIONS = {
    "gen_ai.client.inference.operation.input_tokens": _each_tokens,
    "gen_ai.client.inference.operation.output_tokens": _each_tokens,
    "gen_ai.client.embeddings.operation.input_tokens": _each_tokens,
    "gen_ai.client.inference.time_to_first_chunk": _seconds,
}
LEGACY = {
    "gen_ai.client.token.usage": Metric("histogram", "{token}", _CALL | {"gen_ai.token.type": str}, _NAMED | {"gen_ai.token.type"}, int, TOKENS),
    "gen_ai.client.operation.duration": _seconds,
}

OURS = {
    "tokentrail.journal.events": Metric("sum", "{event}", {"tokentrail.journal.outcome": str}, frozenset({"tokentrail.journal.outcome"})),
    "tokentrail.journal.size": Metric("gauge", "By", {}, frozenset()),
    "tokentrail.internal.errors": Metric("sum", "{error}", {"tokentrail.internal.place": str}, frozenset({"tokentrail.internal.place"})),
}


@dataclass(frozen=True)
class Point:
    """A data point, with its metric's name, unit and kind; a histogram's value is its sum."""

    name: str
    unit: str
    kind: str
    attributes: dict[str, Any]
    value: float
    count: int = 0
    buckets: tuple[float, ...] = ()
    scope: str = ""


def points_of(data: MetricsData | None) -> list[Point]:
    """All data points of an export."""
    found = []
    for resource in data.resource_metrics if data is not None else ():
        for scoped in resource.scope_metrics:
            for metric in scoped.metrics:
                for point in metric.data.data_points:
                    given = (metric.name, metric.unit or "")
                    scope = scoped.scope.name
                    if isinstance(metric.data, Histogram):
                        found.append(Point(*given, "histogram", dict(point.attributes), point.sum, point.count, tuple(point.explicit_bounds), scope))
                    elif isinstance(metric.data, Sum) and metric.data.is_monotonic and metric.data.aggregation_temporality == 2:
                        found.append(Point(*given, "sum", dict(point.attributes), point.value, scope=scope))
                    else:
                        kind = "gauge" if isinstance(metric.data, Gauge) else type(metric.data).__name__
                        found.append(Point(*given, kind, dict(point.attributes), getattr(point, "value", 0), scope=scope))
    return found


def check_point(point: Point) -> None:
    """AssertionError for a data point that breaks its contract, or has none."""
    if point.scope != "tokentrail":
        return
    contract = (LATEST | DISTRIBUTIONS | LEGACY | OURS).get(point.name)
    assert contract is not None, f"no contract for the metric {point.name}"
    assert (point.kind, point.unit) == (contract.kind, contract.unit), point
    assert point.buckets == contract.buckets, point
    assert type(point.value) is contract.value, point
    _check_attributes(point.name, point.attributes, contract.attributes)
    assert point.attributes.keys() >= contract.required or point.attributes == {"otel.metric.overflow": True}, point


def check_span(span: ReadableSpan) -> None:
    """AssertionError for a span of ours that breaks the contract."""
    if span.instrumentation_scope is None or span.instrumentation_scope.name != "tokentrail":
        return
    attributes = dict(span.attributes or {})
    for event in span.events:
        assert event.name == "tokentrail.retry", "an event (an exception's message, say) may hold a prompt"
        assert set(event.attributes or {}) == {"tokentrail.attempt", "tokentrail.retry.delay", "error.type"}
    assert span.status.description is None
    if span.kind is SpanKind.INTERNAL:
        _check_attributes(span.name, attributes, BLOCK_ATTRIBUTES)
    else:
        assert span.kind is SpanKind.CLIENT
        _check_attributes(span.name, attributes, SPAN_ATTRIBUTES)
        assert attributes.keys() >= REQUIRED_OF_SPANS
        assert span.name == " ".join(filter(None, (attributes["gen_ai.operation.name"], attributes.get("gen_ai.request.model"))))
    assert (span.status.status_code is StatusCode.ERROR) is ("error.type" in attributes)


def _check_attributes(where: str, attributes: dict[str, Any], allowed: dict[str, type]) -> None:
    for name, value in attributes.items():
        assert name in allowed, f"{where}: no contract for the attribute {name}"
        assert type(value) is allowed[name], f"{where}: {name} is {value!r}"
        assert value != "", f"{where}: {name} is empty where it should be absent"
        if isinstance(value, tuple):
            assert all(type(item) is str for item in value), f"{where}: {name} is {value!r}"
