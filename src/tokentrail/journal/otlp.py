"""Encodes journal records as OTLP log records, directly as protobuf bytes: the same through protobuf's objects takes five times as long.

The layout is that of opentelemetry/proto/logs/v1/logs.proto; a test compares every record with protobuf's own objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tokentrail import semconv
from tokentrail.counts import COUNTS
from tokentrail.journal.records import INT64, Header
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["ATTRIBUTES", "log_record", "request"]

# field of Usage -> attribute; ts, trace_id and span_id are fields of the log record. A field with its "not stated" value is left out.
ATTRIBUTES: Final = {
    "key": semconv.KEY,
    "key_kind": semconv.KEY_KIND,
    "key_time": semconv.KEY_TIME,
    "call": semconv.CALL,
    "tenant_id": semconv.TENANT_ID,
    "operation": semconv.OPERATION,
    "token_type": semconv.TOKEN_TYPE,
    "operation_id": semconv.OPERATION_ID,
    "metadata": semconv.METADATA,
    "metadata_cut": semconv.METADATA_CUT,
    "endpoint": semconv.ENDPOINT,
    "gen_ai_operation": semconv.GEN_AI_OPERATION,
    "provider": semconv.PROVIDER,
    "request_model": semconv.REQUEST_MODEL,
    "response_model": semconv.RESPONSE_MODEL,
    "response_id": semconv.RESPONSE_ID,
    "model_family": semconv.MODEL_FAMILY,
    "server_address": semconv.SERVER_ADDRESS,
    "server_port": semconv.SERVER_PORT,
    "stream": semconv.REQUEST_STREAM,
    "ended": semconv.ENDED,
    "error_type": semconv.ERROR_TYPE,
    "attempts": semconv.ATTEMPTS,
    "calls": semconv.CALLS,
    "duration_ns": semconv.DURATION_NS,
    "time_to_first_chunk_ns": semconv.TIME_TO_FIRST_CHUNK_NS,
    **{count.name: count.attribute for count in COUNTS},
    "input_source": semconv.INPUT_SOURCE,
    "output_source": semconv.OUTPUT_SOURCE,
    "tokenizer": semconv.TOKENIZER,
    "input_chars": semconv.INPUT_CHARS,
    "output_chars": semconv.OUTPUT_CHARS,
    "texts": semconv.TEXTS,
    "corrects_key": semconv.CORRECTS_KEY,
}
_ZERO_IS_NOT_STATED: Final = ("key_time", "call", "server_port", "attempts")
_UNIQUE: Final = ("key", "metadata", "operation_id", "response_id", "corrects_key")

SEVERITY_INFO: Final = 9
_REMEMBERED: Final = 1024
_REMEMBERED_CHARS: Final = 256
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8


def _slow_varint(number: int) -> bytes:
    """Encodes a number as protobuf's varint: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 127:  # noqa: PLR2004
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_STEP: Final = 1 << 14
_LAST_BYTES: Final = tuple(map(_slow_varint, range(_STEP)))
_LEADING_BYTES: Final = tuple(bytes((number & 127 | 128, number >> 7 | 128)) for number in range(_STEP))


def _varint(number: int) -> bytes:
    """Encodes a number as a varint, two bytes at a time; negative numbers as 64-bit two's complement."""
    if number < 0:
        number += 1 << 64
    encoded = b""
    while number >= _STEP:
        encoded += _LEADING_BYTES[number & (_STEP - 1)]
        number >>= 14
    return encoded + _LAST_BYTES[number]


def _block(tag: bytes, data: bytes) -> bytes:
    """Encodes a field with a length: text, bytes or a message."""
    return tag + _varint(len(data)) + data


def _attribute(name: bytes, value: bytes) -> bytes:
    """Encodes an entry of `LogRecord.attributes`, field 6: a KeyValue of a name (already encoded as a field) and an AnyValue."""
    return _block(b"\x32", name + _block(b"\x12", value))


def _named(name: str) -> bytes:
    return _block(b"\x0a", name.encode())


# Each attribute has its own function. The bytes before a value depend on the value's length alone, so they are computed once for each length.


def _text(name: str) -> Callable[[str], bytes]:
    """Returns a function that encodes a text: AnyValue's field 1. An empty text is left out."""
    key = _named(name)
    before = [b"", *(_attribute(key, _block(b"\x0a", bytes(size)))[:-size] for size in range(1, 256))]
    short = len(before)

    def write(value: str) -> bytes:
        if not value:
            return b""
        data = value.encode("utf-8", "backslashreplace")
        size = len(data)
        return before[size] + data if size < short else _attribute(key, _block(b"\x0a", data))

    return write


def _repeated_text(name: str) -> Callable[[str], bytes]:
    """Returns a function that encodes a text with few distinct values (models, tenants), and caches the encoded bytes."""
    fresh = _text(name)
    remembered: dict[str, bytes] = {"": b""}

    def write(value: str) -> bytes:
        found = remembered.get(value)
        if found is None:
            found = fresh(value)
            if len(remembered) >= _REMEMBERED:
                remembered.clear()
            if len(value) <= _REMEMBERED_CHARS:
                remembered[value] = found
        return found

    return write


def _number(name: str) -> Callable[[int | None], bytes]:
    """Returns a function that encodes an integer: AnyValue's field 3. `None` and numbers beyond 64 bits are left out."""
    key = _named(name)
    before = [b"", *(_attribute(key, b"\x18" + bytes(size))[:-size] for size in range(1, 11))]

    def write(value: int | None) -> bytes:
        if value is None or value not in INT64:
            return b""
        data = _varint(value)
        return before[len(data)] + data

    return write


def _stated_number(name: str) -> Callable[[int], bytes]:
    """Returns a function that encodes an integer; 0 is left out."""
    any_number = _number(name)
    return lambda value: any_number(value) if value else b""


def _flag(name: str) -> Callable[[bool], bytes]:
    """Returns a function that encodes `true`: AnyValue's field 2. `false` is left out."""
    true = _attribute(_named(name), b"\x10\x01")
    return lambda value: true if value else b""


def _writer_of(field: msgspec.structs.FieldInfo) -> Callable[[Any], bytes]:
    if field.name not in ATTRIBUTES:
        return lambda _value: b""
    name = ATTRIBUTES[field.name]
    if field.type is str:
        return _text(name) if field.name in _UNIQUE else _repeated_text(name)
    if field.type is bool:
        return _flag(name)
    return _stated_number(name) if field.name in _ZERO_IS_NOT_STATED else _number(name)


_WRITERS: Final = tuple(_writer_of(field) for field in msgspec.structs.fields(Usage))
_seq: Final = _number(semconv.SEQ)
_writer_id: Final = _repeated_text(semconv.WRITER_ID)
_last_seq: Final = _number(semconv.LAST_SEQ)
_closed_by: Final = _text(semconv.CLOSED_BY)
_damaged: Final = _text(semconv.DAMAGED_RANGES)
_refused: Final = _text(semconv.REFUSED_RANGES)


def _event_parts(event: str) -> tuple[bytes, bytes]:
    """Returns the bytes at the beginning (severity, event, schema) and at the end (the event's name) of every record of an event."""
    head = b"\x10" + _varint(SEVERITY_INFO) + _text(semconv.EVENT)(event) + _number(semconv.SCHEMA)(semconv.SCHEMA_VERSION)
    return head, _block(b"\x62", f"{semconv.EVENT_NAME_PREFIX}{event}".encode())


_USAGE: Final = _event_parts(semconv.EVENT_USAGE)
_CLOSING: Final = _event_parts(semconv.EVENT_CLOSING)
_REFUSED: Final = _event_parts(semconv.EVENT_REFUSED)


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(f"{low}-{high}" for low, high in ranges)


def log_record(record: Usage | Refused | Closing, number: int, writer_id: str) -> bytes:
    """Encodes one record as an entry of `ScopeLogs.log_records`, an argument of `request`."""
    if isinstance(record, Usage):
        head, name = _USAGE
        values = [write(value) for write, value in zip(_WRITERS, msgspec.structs.astuple(record), strict=True)]
        parts = [_seq(number), *values, _trace(record)]
    elif isinstance(record, Closing):
        head, name = _CLOSING
        parts = [_last_seq(record.last_seq), _closed_by(record.closed_by), _damaged(_ranges(record.damaged))]
    else:
        head, name = _REFUSED
        ranges = _ranges(record.ranges)
        parts = [_refused(ranges), _damaged(ranges if record.damaged else "")]
    time = b"\x09" + (record.ts & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
    return _block(b"\x12", b"".join((time, head, _writer_id(writer_id), *parts, name)))


def _trace(usage: Usage) -> bytes:
    """Encodes trace and span id. Invalid ids are left out, since the Collector refuses a whole request with one invalid id."""
    if not usage.trace_id:
        return b""
    try:
        trace_id, span_id = bytes.fromhex(usage.trace_id), bytes.fromhex(usage.span_id)
    except ValueError:
        return b""
    if len(trace_id) != _TRACE_BYTES:
        return b""
    return _block(b"\x4a", trace_id) + (_block(b"\x52", span_id) if len(span_id) == _SPAN_BYTES else b"")


_SCOPE: Final = _block(b"\x0a", _named(semconv.SCOPE))


def request(header: Header, log_records: Iterable[bytes]) -> bytes:
    """Encodes one ExportLogsServiceRequest with a writer's records."""
    pairs = []
    for name, value in header.resource.items():
        pairs.append((_named(name), b"\x18" + _varint(value) if isinstance(value, int) else _block(b"\x0a", value.encode())))
    resource = b"".join(_block(b"\x0a", name + _block(b"\x12", value)) for name, value in pairs)
    scope_logs = b"".join((_SCOPE, *log_records))
    return _block(b"\x0a", _block(b"\x0a", resource) + _block(b"\x12", scope_logs))
