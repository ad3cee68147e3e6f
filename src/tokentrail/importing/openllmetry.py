"""Spans of OpenLLMetry (and of any other instrumentation that the bridge reads): OTLP as JSON, or rows of ClickHouse's `otel_traces`.

The attributes are read as the bridge reads them (`tokentrail.bridge`), and the key is that of the bridge, so a span that the bridge has taken counts
once. A span around others that state tokens of their own (a framework's, an agent's) is not taken: it states theirs again.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msgspec.structs import asdict

from tokentrail import semconv
from tokentrail.bridge import names
from tokentrail.bridge.reading import states_call, usage_of
from tokentrail.counts import COUNTS
from tokentrail.idempotency import span_key
from tokentrail.importing.record import NotTaken, Record
from tokentrail.importing.selection import Selection, taken
from tokentrail.importing.values import nested, text, time_ns
from tokentrail.settings import Settings

__all__ = ["PROPERTIES", "TENANTS", "WANTED", "Span", "records", "spans_of"]

PROPERTIES: Final = "traceloop.association.properties."
TENANTS: Final = (semconv.TENANT_ID, f"{PROPERTIES}tenant_id", f"{PROPERTIES}customer_id", f"{PROPERTIES}organization_id")
"""Attributes that are the tenant, unless others are chosen."""
DEEPEST: Final = 64

_NUMBERS: Final = frozenset(name for group in names.COUNTS.values() for name in group) | {semconv.SERVER_PORT}
_FLAGS: Final = frozenset(names.FIELDS["stream"])
_KINDS: Final = {2: "Server", 5: "Consumer", "SPAN_KIND_SERVER": "Server", "SPAN_KIND_CONSUMER": "Consumer"}
_VALUES: Final = ("stringValue", "intValue", "doubleValue", "boolValue")


@dataclass(frozen=True, slots=True)
class Span:
    """A span: ids as lower-case hex digits, times in UTC nanoseconds, attributes with numbers and flags as such."""

    trace_id: str
    span_id: str
    parent_id: str
    ts: int
    duration_ns: int | None
    kind: str
    scope: str
    service: str
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]

    @property
    def identity(self) -> bytes:
        """Trace and span, shortly: millions are held while the tree is looked at."""
        return _identity(self.trace_id, self.span_id)

    @property
    def states_call(self) -> bool:
        """Whether the span states the tokens of a call."""
        return self.kind not in names.SERVER_SIDE and states_call(self.attributes)


def records(read: Callable[[], Iterable[Mapping[str, Any]]], selection: Selection, tenants: Sequence[str] = TENANTS) -> Iterator[Record | NotTaken]:
    """Yields a record of each span that is a call. `read` is called twice: which spans stand around others is known at the end of the first time."""
    around = _around(_valid(spans_of(read())))
    settings = Settings()
    return taken(partial(_record, around=around, settings=settings, selection=selection, tenants=tenants), spans_of(read(), tenants))


def _valid(spans: Iterable[Span | NotTaken]) -> Iterator[Span]:
    return (span for span in spans if isinstance(span, Span))


def _around(spans: Iterable[Span]) -> set[bytes]:
    """Returns the spans that state tokens and stand around another span that does."""
    parents: dict[bytes, bytes] = {}
    calls: set[bytes] = set()
    for span in spans:
        if span.parent_id:
            parents[span.identity] = _identity(span.trace_id, span.parent_id)
        if span.states_call:
            calls.add(span.identity)
    found = set()
    for call in calls:
        outer = call
        for _ in range(DEEPEST):
            outer = parents.get(outer, b"")
            if not outer:
                break
            if outer in calls:
                found.add(outer)
    return found


def _identity(trace_id: str, span_id: str) -> bytes:
    return bytes.fromhex(trace_id + span_id)


def _record(span: Span | NotTaken, *, around: set[bytes], settings: Settings, selection: Selection, tenants: Sequence[str]) -> Record:
    if isinstance(span, NotTaken):
        raise span
    if span.scope == semconv.SCOPE:
        raise NotTaken("a span of tokentrail, whose record is in the ledger")
    if span.kind in names.SERVER_SIDE:
        raise NotTaken("a span of whoever answers: the caller's tells of the call")
    if not states_call(span.attributes):
        raise NotTaken("states no tokens of a call")
    if span.identity in around:
        raise NotTaken("stands around spans that state the tokens themselves")
    trace_id, span_id = int(span.trace_id, 16), int(span.span_id, 16)
    key = span_key(span.trace_id, span.span_id)
    usage = usage_of(
        span.attributes,
        None,
        settings,
        key=key,
        scope=span.scope,
        ts=span.ts,
        trace_id=trace_id,
        span_id=span_id,
        duration_ns=span.duration_ns,
        failed=span.failed,
    )
    said = asdict(usage)
    return Record(
        key=key,
        ts=span.ts,
        counts={count.name: said[count.name] for count in COUNTS},
        tenant_id=next(filter(None, (text(span.attributes.get(name) or span.resource.get(name)) for name in tenants)), ""),
        trace_id=trace_id,
        span_id=span_id,
        scope=span.scope or "unknown",
        service=span.service or selection.service,
        metadata={name.removeprefix(PROPERTIES): value for name, value in span.attributes.items() if name.startswith(PROPERTIES)},
        **{name: said[name] for name in _SAME},
    )


_SAME: Final = (
    "operation",
    "token_type",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "endpoint",
    "gen_ai_operation",
    "operation_id",
    "stream",
    "ended",
    "error_type",
    "duration_ns",
    "server_address",
    "server_port",
)


def spans_of(rows: Iterable[Mapping[str, Any]], tenants: Iterable[str] = ()) -> Iterator[Span | NotTaken]:
    """Yields the spans of OTLP's requests, and of rows of ClickHouse, with those of their attributes that state something of a call."""
    wanted = WANTED | frozenset(tenants)
    for row in rows:
        if isinstance(row.get("resourceSpans"), list):
            yield from _of_otlp(row["resourceSpans"], wanted)
            continue
        try:
            yield _of_clickhouse(row, wanted)
        except NotTaken as reason:
            yield reason


def _of_otlp(requests: Iterable[Any], wanted: frozenset[str]) -> Iterator[Span | NotTaken]:
    for given in requests:
        resource = _attributes(nested(nested(given).get("resource")).get("attributes"), wanted)
        for scoped in _list(given, "scopeSpans"):
            scope = text(nested(nested(scoped).get("scope")).get("name"))
            for span in _list(scoped, "spans"):
                try:
                    yield _of_span(nested(span), scope, resource, wanted)
                except NotTaken as reason:
                    yield reason


def _of_span(span: Mapping[str, Any], scope: str, resource: Mapping[str, Any], wanted: frozenset[str]) -> Span:
    ts, end = time_ns(span.get("startTimeUnixNano"), name="startTimeUnixNano"), span.get("endTimeUnixNano")
    status = nested(span.get("status")).get("code")
    return Span(
        trace_id=_hex(span.get("traceId"), 32),
        span_id=_hex(span.get("spanId"), 16),
        parent_id=_hex(span["parentSpanId"], 16) if text(span.get("parentSpanId")) else "",
        ts=ts,
        duration_ns=max(time_ns(end, name="endTimeUnixNano") - ts, 0) if text(end) else None,
        kind=_kind(span.get("kind")),
        scope=scope,
        service=text(resource.get(semconv.SERVICE_NAME)),
        failed=status in (2, "STATUS_CODE_ERROR"),
        attributes=_attributes(span.get("attributes"), wanted),
        resource=resource,
    )


def _kind(given: Any) -> str:
    """Returns the kind of a span as ClickHouse names it, of those that matter here; OTLP's JSON has numbers, or names."""
    return _KINDS.get(given, "") if isinstance(given, (int, str)) else ""


def _attributes(given: Any, wanted: frozenset[str]) -> dict[str, Any]:
    """Returns attributes of OTLP: those that state something of a call, no prompt and no answer."""
    found: dict[str, Any] = {}
    for pair in given if isinstance(given, list) else ():
        name, value = nested(pair).get("key"), nested(nested(pair).get("value"))
        kind = next((kind for kind in _VALUES if kind in value), "")
        if isinstance(name, str) and kind and (name in wanted or name.startswith(PROPERTIES)):
            found[name] = _typed(name, value[kind])
    return found


WANTED: Final = frozenset(
    [
        *_NUMBERS,
        *_FLAGS,
        *(name for group in names.FIELDS.values() for name in group),
        *names.KIND_NAMES,
        *TENANTS,
        semconv.SERVICE_NAME,
        semconv.EVENT,
    ]
)


def _typed(name: str, value: Any) -> Any:
    """Returns a value as the instrumentation gave it: ClickHouse keeps texts, and OTLP writes large integers as texts."""
    if name in _NUMBERS and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    if name in _FLAGS and isinstance(value, str):
        return value.lower() == "true"
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _of_clickhouse(row: Mapping[str, Any], wanted: frozenset[str]) -> Span:
    if "SpanAttributes" not in row:
        raise NotTaken("neither OTLP's JSON nor a row of otel_traces", fault=True)
    attributes, resource = _map(row["SpanAttributes"]), _map(row.get("ResourceAttributes"))
    duration = text(row.get("Duration"))
    return Span(
        trace_id=_hex(row.get("TraceId"), 32),
        span_id=_hex(row.get("SpanId"), 16),
        parent_id=_hex(row["ParentSpanId"], 16) if text(row.get("ParentSpanId")) else "",
        ts=time_ns(row.get("Timestamp"), name="Timestamp"),
        duration_ns=int(duration) if duration.isdigit() else None,
        kind=text(row.get("SpanKind")),
        scope=text(row.get("ScopeName")),
        service=text(row.get("ServiceName")),
        failed=text(row.get("StatusCode")).lower() in ("error", "status_code_error"),
        attributes={name: _typed(name, value) for name, value in attributes.items() if name in wanted or name.startswith(PROPERTIES)},
        resource=resource,
    )


def _map(value: Any) -> Mapping[str, Any]:
    """Returns a map of ClickHouse: an object, or in CSV a text such as {'a':'b'}."""
    if isinstance(value, str) and value.startswith("{'"):
        try:
            found = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise NotTaken("a map of attributes that cannot be read", fault=True) from None
        return found if isinstance(found, dict) else {}
    return nested(value)


def _hex(value: Any, digits: int) -> str:
    found = text(value).lower()
    try:
        if len(found) == digits and int(found, 16):
            return found
    except ValueError:
        pass
    raise NotTaken(f"a trace or span id that is not {digits} hexadecimal digits", fault=True)


def _list(given: Any, name: str) -> list[Any]:
    found = nested(given).get(name)
    return found if isinstance(found, list) else []
