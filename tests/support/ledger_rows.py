"""Rows of the landing table as the Collector's ClickHouse exporter writes them, and the database to put them in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tokentrail import semconv
from tokentrail.idempotency import key_prefix
from tokentrail.usage import Usage

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


def row(
    event: str, fields: Mapping[str, object], attributes: Mapping[str, object], *, ts: int = START_NS, service: str = "shop", body: str | None = None
) -> Row:
    """A landing row: fields as the JSON of its body (or `body` as it is), attributes as text; `None` leaves a field or an attribute out."""
    said = {"event": event, "ts": ts, **fields}
    given = {semconv.EVENT: event, semconv.SCHEMA: semconv.SCHEMA_VERSION, **attributes}
    return {
        "Timestamp": moment(ts),
        "TraceId": "",
        "SpanId": "",
        "TraceFlags": 0,
        "SeverityText": "",
        "SeverityNumber": 9,
        "ServiceName": service,
        "Body": json.dumps({name: value for name, value in said.items() if value is not None}) if body is None else body,
        "ResourceSchemaUrl": "",
        "ResourceAttributes": {semconv.SERVICE_NAME: service, semconv.ENVIRONMENT: "test", semconv.HOST_NAME: "here"},
        "ScopeSchemaUrl": "",
        "ScopeName": semconv.SCOPE,
        "ScopeVersion": "0",
        "ScopeAttributes": {},
        "LogAttributes": {name: str(value) for name, value in attributes_of(given)},
        "EventName": "",
    }


def attributes_of(given: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    return ((name, value) for name, value in given.items() if value is not None)


def with_body(row: Row, **fields: object) -> Row:
    """The same row with fields of its body replaced; `None` leaves one out."""
    said = {name: value for name, value in (json.loads(row["Body"]) | fields).items() if value is not None}
    return row | {"Body": json.dumps(said)}


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
    attributes: Mapping[str, object] | None = None,
    body: str | None = None,
) -> Row:
    """A usage record; `more` and `attributes` replace fields of its body and attributes. By default an automatic key, made of what is given; its time is `START_NS + seq` seconds."""
    if ts is None:
        ts = START_NS + seq * 10**9
    if key_time is None and kind != "opaque":
        key_time = ts
    if key is None:
        key = f"{key_prefix(operation, tenant)}{hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()}:{key_time:019d}"
    fields: dict[str, object] = {
        "key": key,
        "key_kind": kind,
        "key_time": key_time,
        "call": call,
        "tenant_id": tenant,
        "operation": operation,
        "token_type": "llm",
        "endpoint": "chat",
        "gen_ai_operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18",
        "ended": "complete",
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "input_source": source,
        "output_source": source,
    }
    known = {semconv.WRITER_ID: writer(by), semconv.SEQ: seq}
    return row(semconv.EVENT_USAGE, fields | dict(more or {}), known | dict(attributes or {}), ts=ts, body=body)


def claimed(key: str, *, kind: str = "opaque", **fields: Any) -> Row:
    """A usage record with a key of the caller's own."""
    return usage(key=key, kind=kind, **fields)


def closing(last_seq: object, *, by: str = "w1", closed_by: str | None = None, damaged: object = None) -> Row:
    """A writer's closing record."""
    fields = {"last_seq": last_seq, "closed_by": closed_by and writer(closed_by), "damaged": pairs(damaged)}
    return row(semconv.EVENT_CLOSING, fields, {semconv.WRITER_ID: writer(by)})


def refused(ranges: object, *, by: str = "w1", damaged: bool | None = None) -> Row:
    """A record of numbers that the journal could not take; `damaged`: that it took and cannot read."""
    return row(semconv.EVENT_REFUSED, {"ranges": pairs(ranges), "damaged": damaged}, {semconv.WRITER_ID: writer(by)})


def pairs(ranges: object) -> object:
    """`1-2,5-9` as `[[1, 2], [5, 9]]`; what is no list of ranges stays as it is."""
    if not isinstance(ranges, str) or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", ranges):
        return ranges
    ends = (part.partition("-") for part in ranges.split(","))
    return [[int(low), int(high or low)] for low, _, high in ends]


def recorded(usage: Usage, *, by: str, seq: int, service: str = "shop") -> Row:
    """The row of a record that a process made."""
    fields = {name: value for name, value in usage.as_dict().items() if name != "source"}
    return row(semconv.EVENT_USAGE, fields, {semconv.WRITER_ID: writer(by), semconv.SEQ: seq}, ts=usage.ts, service=service)
