"""Converts OTLP log requests to rows in ClickHouse's RowBinary, from bytes to bytes: an attribute that recurs in a request is read once.

A row is what the Collector's ClickHouse exporter writes (`tokentrail.embedded.otlp_values`). RowBinary writes a text as protobuf does, length and
bytes, so a record's body is copied and never decoded.
Source: exporter_logs.go of clickhouseexporter v0.161.0; ClickHouse's documentation of RowBinary.
"""

from __future__ import annotations

import struct
from binascii import hexlify
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tokentrail import semconv
from tokentrail.embedded.otlp_values import LAST_TIME, attributes, service_name, text
from tokentrail.embedded.otlp_wire import LogsOnWire
from tokentrail.journal.otlp import varint

__all__ = ["COLUMNS", "EVENT_TABLE", "LOGS_TABLE", "log_blocks"]

EVENT_TABLE: Final = "usage_landing"
LOGS_TABLE: Final = "otel_logs"
EVENT: Final = semconv.EVENT.encode()

COLUMNS: Final = {
    "Timestamp": "DateTime64(9, 'UTC')",
    "TraceFlags": "UInt8",
    "SeverityNumber": "UInt8",
    "TraceId": "String",
    "SpanId": "String",
    "SeverityText": "String",
    "EventName": "String",
    "Body": "String",
    "LogAttributes": "Map(String, String)",
    "ServiceName": "String",
    "ResourceSchemaUrl": "String",
    "ResourceAttributes": "Map(String, String)",
    "ScopeSchemaUrl": "String",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": "Map(String, String)",
}
"""Columns of a block and the types in which a block has them; ClickHouse converts these to the types of the table."""

NUMBERS: Final = struct.Struct("<QBB")
MAX_ROWS: Final = 512 << 20
EMPTY_RESOURCE: Final = bytes(3)
"""ServiceName, ResourceSchemaUrl and ResourceAttributes of a resource that states nothing."""
EMPTY_SCOPE: Final = bytes(4)
REMEMBERED: Final = 1 << 14
TEXT: Final = b"\x0a"
"""The tag of `AnyValue.string_value` on the wire, and of `KeyValue.key`."""
VALUE: Final = b"\x12"
"""The tag of `KeyValue.value`."""
INTEGER: Final = b"\x18"
"""The tag of `AnyValue.int_value`."""
ONE_BYTE: Final = 128
"""Numbers below this are a varint of one byte, and so are all lengths in a message that is shorter."""
SHORTEST: Final = 4
"""Bytes before the value of a `KeyValue`, if the name is not empty."""
LONGEST: Final = 7
"""Bytes of a varint below 2^49."""


def _string(data: bytes) -> bytes:
    return varint(len(data)) + data


def _text(value: str) -> bytes:
    return _string(value.encode())


def _map(pairs: dict[str, str]) -> bytes:
    return varint(len(pairs)) + b"".join(_text(name) + _text(value) for name, value in pairs.items())


def _id(raw: bytes) -> bytes:
    """Encodes an id in hex; an absent id, or an id of zeros, is empty."""
    return _string(hexlify(raw)) if raw.strip(b"\0") else b"\0"


def _checked(raw: bytes) -> bytes:
    """Encodes a text. Raises UnicodeDecodeError if the text is not UTF-8."""
    raw.decode()
    return _string(raw)


@lru_cache(REMEMBERED)
def _before_text(size: int) -> bytes:
    """Returns the tag and the length with which an `AnyValue` of so many bytes begins if it is a text alone; no bytes where no text has this size."""
    return next((TEXT + length for width in range(1, 6) if len(length := varint(max(0, size - 1 - width))) == width), b"")


def _body(raw: bytes) -> bytes:
    """Encodes an `AnyValue`, given as bytes; behind its tag a text is in RowBinary already."""
    before = _before_text(len(raw))
    if len(raw) > 1 and before and raw.startswith(before):
        raw[len(before) :].decode()
        return raw[1:]
    return _text(text(AnyValue.FromString(raw)))


def _attribute(raw: bytes) -> tuple[bytes, bytes]:
    """Reads a `KeyValue`: the name, and name and value in RowBinary."""
    if SHORTEST < len(raw) < ONE_BYTE and raw.startswith(TEXT):
        end = 2 + raw[1]
        value = raw[end + 2 :]
        if len(value) > 1 and raw[end : end + 1] == VALUE and raw[end + 1] == len(value):
            raw[2:end].decode()
            if value.startswith(TEXT) and value[1] == len(value) - 2:
                value[2:].decode()
                return raw[2:end], raw[1:end] + value[1:]
            if value.startswith(INTEGER) and (number := _whole_number(value[1:])):
                return raw[2:end], raw[1:end] + _string(number)
    pair = KeyValue.FromString(raw)
    name = pair.key.encode()
    return name, _string(name) + _text(text(pair.value))


def _whole_number(encoded: bytes) -> bytes:
    """Returns a number below 2^49, given as a varint, as decimal text; no bytes if `encoded` is another number, or not one varint alone."""
    if len(encoded) > LONGEST or encoded[-1] >= ONE_BYTE or min(encoded[:-1], default=ONE_BYTE) < ONE_BYTE:
        return b""
    number = 0
    for byte in reversed(encoded):
        number = number << 7 | byte & 127
    return b"%d" % number


class _Attributes(dict[bytes, tuple[bytes, bytes]]):
    """Attributes by their bytes in a request: each with its name, and name and value in RowBinary. As long-lived as the request."""

    def __missing__(self, raw: bytes) -> tuple[bytes, bytes]:
        found = self[raw] = _attribute(raw)
        return found


def log_blocks(request: bytes) -> dict[str, bytes]:
    """Returns the rows of an ExportLogsServiceRequest by table: records of the ledger for the landing table, all others for the log table.

    Raises DecodeError or UnicodeDecodeError for bytes that are no such request, OverflowError if the rows would need more than `MAX_ROWS` bytes: each
    row repeats resource and scope.
    """
    events: list[bytes] = []
    others: list[bytes] = []
    known = _Attributes().__getitem__
    size = 0
    for resource_logs in LogsOnWire.FromString(request).resource_logs:
        of_resource = _of_resource(resource_logs)
        for scope_logs in resource_logs.scope_logs:
            shared = of_resource + _of_scope(scope_logs)
            for record in scope_logs.log_records:
                # of two attributes with one name the place of the first and the value of the last count
                pairs = dict(map(known, record.attributes))
                row = _row(record, pairs, shared)
                (events if EVENT in pairs else others).append(row)
                size += len(row)
                if size > MAX_ROWS:
                    raise OverflowError(f"its rows need more than {MAX_ROWS >> 20} MiB: send smaller batches")
    return {EVENT_TABLE: b"".join(events), LOGS_TABLE: b"".join(others)}


def _merged(message: type[Any], pieces: Sequence[bytes]) -> bytes:
    """Returns the bytes of a message that may come in several pieces. Raises DecodeError if a piece alone is no such message."""
    if len(pieces) > 1:
        for piece in pieces:
            message.FromString(piece)
    return b"".join(pieces)


def _of_resource(resource_logs: Any) -> bytes:
    pieces, schema_url = resource_logs.resource, resource_logs.schema_url
    if not (pieces or schema_url):
        return EMPTY_RESOURCE
    resource = attributes(Resource.FromString(_merged(Resource, pieces)).attributes)
    return _text(service_name(resource)) + _checked(schema_url) + _map(resource)


def _of_scope(scope_logs: Any) -> bytes:
    pieces, schema_url = scope_logs.scope, scope_logs.schema_url
    if not (pieces or schema_url):
        return EMPTY_SCOPE
    scope = InstrumentationScope.FromString(_merged(InstrumentationScope, pieces))
    return _checked(schema_url) + _text(scope.name) + _text(scope.version) + _map(attributes(scope.attributes))


def _row(record: Any, pairs: dict[bytes, bytes], shared: bytes) -> bytes:
    time = min(record.time_unix_nano or record.observed_time_unix_nano, LAST_TIME)
    return b"".join(
        (
            NUMBERS.pack(time, record.flags & 0xFF, record.severity_number & 0xFF),
            _id(record.trace_id),
            _id(record.span_id),
            _checked(record.severity_text),
            _checked(record.event_name),
            _body(_merged(AnyValue, record.body)),
            varint(len(pairs)),
            *pairs.values(),
            shared,
        )
    )
