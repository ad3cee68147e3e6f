"""Rows of the landing table as the Collector's ClickHouse exporter writes them, and the database to put them in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tokentrail import semconv

START_NS = 1_795_000_000_000_000_000  # a moment in November 2026

Row = dict[str, Any]
Land = Callable[..., None]
Total = Callable[[], tuple[int, int, int]]


def writer(name: str) -> str:
    """A writer id: 32 lower-case hexadecimal digits that follow from a name."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def moment(nanoseconds: int) -> str:
    """Nanoseconds as the text of a DateTime64(9)."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime(1970, 1, 1) + timedelta(seconds=seconds)}.{rest:09d}"  # noqa: DTZ001 - UTC, which the column says


def row(attributes: Mapping[str, object], *, ts: int = START_NS, trace_id: str = "", span_id: str = "", service: str = "shop") -> Row:
    """A landing row with these attributes as text; `None` leaves one out."""
    return {
        "Timestamp": moment(ts),
        "TraceId": trace_id,
        "SpanId": span_id,
        "TraceFlags": 0,
        "SeverityText": "",
        "SeverityNumber": 9,
        "ServiceName": service,
        "Body": "",
        "ResourceSchemaUrl": "",
        "ResourceAttributes": {semconv.SERVICE_NAME: service, semconv.ENVIRONMENT: "test", semconv.HOST_NAME: "here"},
        "ScopeSchemaUrl": "",
        "ScopeName": semconv.SCOPE,
        "ScopeVersion": "0",
        "ScopeAttributes": {},
        "LogAttributes": {name: _text(value) for name, value in attributes.items() if value is not None},
        "EventName": "",
    }


def usage(
    *,
    by: str = "w1",
    seq: int = 1,
    call: int | None = None,
    key: str | None = None,
    kind: str = "automatic",
    key_time: int | None = None,
    ts: int | None = None,
    tenant: str = "acme",
    operation: str = "chat",
    content: str = "text",
    input_tokens: int | str | None = 10,
    output_tokens: int | str | None = 5,
    source: str = "reported",
    more: Mapping[str, object] | None = None,
) -> Row:
    """A usage record. By default an automatic key, made of what is given; its time is `START_NS + seq` seconds."""
    if ts is None:
        ts = START_NS + seq * 10**9
    if key_time is None and kind != "opaque":
        key_time = ts
    if key is None:
        key = f"{operation}:{tenant}:{hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()}:{key_time:019d}"
    attributes: dict[str, object] = {
        semconv.EVENT: semconv.EVENT_USAGE,
        semconv.SCHEMA: semconv.SCHEMA_VERSION,
        semconv.KEY: key,
        semconv.KEY_KIND: kind,
        semconv.KEY_TIME: key_time,
        semconv.WRITER_ID: writer(by),
        semconv.SEQ: seq,
        semconv.CALL: call,
        semconv.TENANT_ID: tenant,
        semconv.OPERATION: operation,
        semconv.TOKEN_TYPE: "llm",
        semconv.ENDPOINT: "chat",
        semconv.GEN_AI_OPERATION: "chat",
        semconv.PROVIDER: "openai",
        semconv.REQUEST_MODEL: "gpt-4o-mini",
        semconv.RESPONSE_MODEL: "gpt-4o-mini-2024-07-18",
        semconv.ENDED: "complete",
        semconv.INPUT_TOKENS: input_tokens,
        semconv.OUTPUT_TOKENS: output_tokens,
        semconv.INPUT_SOURCE: source,
        semconv.OUTPUT_SOURCE: source,
    }
    return row(attributes | dict(more or {}), ts=ts)


def claimed(key: str, *, kind: str = "opaque", **fields: Any) -> Row:
    """A usage record with a key of the caller's own."""
    return usage(key=key, kind=kind, **fields)


def closing(last_seq: object, *, by: str = "w1", closed_by: str | None = None, damaged: str | None = None) -> Row:
    """A writer's closing record."""
    return row(
        {
            semconv.EVENT: semconv.EVENT_CLOSING,
            semconv.WRITER_ID: writer(by),
            semconv.LAST_SEQ: last_seq,
            semconv.CLOSED_BY: closed_by and writer(closed_by),
            semconv.DAMAGED_RANGES: damaged,
        }
    )


def refused(ranges: str, *, by: str = "w1", damaged: str | None = None) -> Row:
    """A record of numbers that the journal could not take; `damaged`: that it took and cannot read."""
    said = {semconv.REFUSED_RANGES: ranges, semconv.DAMAGED_RANGES: damaged}
    return row({semconv.EVENT: semconv.EVENT_REFUSED, semconv.WRITER_ID: writer(by), **said})


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
