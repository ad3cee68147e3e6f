"""Journal records as OTLP log records: the body is the record's JSON, the attributes are those by which the Collector and other backends know it.

Protobuf is written by hand: building the same through protobuf's objects takes five times as long. The layout is that of
opentelemetry/proto/logs/v1/logs.proto; a test compares every record with protobuf's own objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tokentrail import semconv
from tokentrail.journal.records import INT64, Header
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["USER_AGENT", "log_record", "request", "varint"]

USER_AGENT: Final = "tokentrail"
"""The `User-Agent` of requests that a shipper writes: `tokentrail serve` knows by the name in which form their bytes are."""

SEVERITY_INFO: Final = 9
_REMEMBERED: Final = 1024
_REMEMBERED_CHARS: Final = 512
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
_LAST: Final = tuple(map(_slow_varint, range(_STEP)))
_MORE: Final = tuple(bytes((number & 127 | 128, number >> 7 | 128)) for number in range(_STEP))


def varint(number: int) -> bytes:
    """Encodes a number as protobuf's varint, two bytes at a time; negative numbers as 64-bit two's complement."""
    if number < 0:
        number += 1 << 64
    encoded = b""
    while number >= _STEP:
        encoded += _MORE[number & (_STEP - 1)]
        number >>= 14
    return encoded + _LAST[number]


def _block(tag: bytes, data: bytes) -> bytes:
    """Encodes a field with a length: text, bytes or a message."""
    return tag + varint(len(data)) + data


def _key_value(name: str, value: str | int) -> bytes:
    """Encodes a KeyValue: the name is field 1, its AnyValue field 2, a text in that field 1, an integer field 3."""
    any_value = b"\x18" + varint(value) if isinstance(value, int) else _block(b"\x0a", value.encode("utf-8", "backslashreplace"))
    return _block(b"\x0a", name.encode()) + _block(b"\x12", any_value)


def _attribute(name: str, value: str | int) -> bytes:
    """Encodes one of `LogRecord.attributes`, field 6; an empty text is left out."""
    return b"" if value == "" else _block(b"\x32", _key_value(name, value))


class _Number:
    """Encodes an integer attribute; `None` is left out, and so is a number that 64 bits do not hold. Only the value follows the same few bytes."""

    def __init__(self, name: str) -> None:
        key = _block(b"\x0a", name.encode())
        self._before = [_block(b"\x32", key + _block(b"\x12", b"\x18" + bytes(size)))[:-size] if size else b"" for size in range(11)]
        self._remembered: dict[int, bytes] = {}

    def __call__(self, value: int | None) -> bytes:
        if value is None:
            return b""
        found = self._remembered.get(value)
        if found is None:
            if value not in INT64:
                return b""
            data = varint(value)
            found = self._before[len(data)] + data
            if len(self._remembered) < _REMEMBERED:
                self._remembered[value] = found
        return found


_seq: Final = _Number(semconv.SEQ)
_input_tokens: Final = _Number(semconv.INPUT_TOKENS)
_output_tokens: Final = _Number(semconv.OUTPUT_TOKENS)


def _head(event: str) -> bytes:
    """Encodes what all records of an event have in common: severity, the event's name (field 12), event and schema as attributes."""
    named = _block(b"\x62", f"{semconv.EVENT_NAME_PREFIX}{event}".encode())
    return b"\x10" + varint(SEVERITY_INFO) + named + _attribute(semconv.EVENT, event) + _attribute(semconv.SCHEMA, semconv.SCHEMA_VERSION)


_HEADS: Final = {Usage: _head(semconv.EVENT_USAGE), Closing: _head(semconv.EVENT_CLOSING), Refused: _head(semconv.EVENT_REFUSED)}
remembered: dict[tuple[str, ...], bytes] = {}


def _words(writer_id: str, usage: Usage | None) -> bytes:
    """Encodes the attributes whose few values recur (writer, models); each combination is encoded once."""
    words: tuple[str, ...] = (writer_id,)
    if usage is not None:
        words += (usage.gen_ai_operation, usage.provider, usage.request_model, usage.response_model, usage.error_type)
    found = remembered.get(words)
    if found is None:
        names = (semconv.WRITER_ID, semconv.GEN_AI_OPERATION, semconv.PROVIDER, semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL, semconv.ERROR_TYPE)
        found = b"".join(map(_attribute, names, words))
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        if len(found) <= _REMEMBERED_CHARS:
            remembered[words] = found
    return found


def log_record(record: Usage | Refused | Closing, payload: bytes, number: int, writer_id: str) -> bytes:
    """Encodes a record, with its JSON as `payload`, as an entry of `ScopeLogs.log_records`, ready to be put into a request."""
    usage = record if isinstance(record, Usage) else None
    size = varint(len(payload))
    parts = [
        b"\x09",
        (record.ts & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"),
        _HEADS[type(record)],
        b"\x2a",
        varint(1 + len(size) + len(payload)),
        b"\x0a",
        size,
        payload,
        _words(writer_id, usage),
    ]
    if usage is not None:
        parts += (_seq(number), _input_tokens(usage.input_tokens), _output_tokens(usage.output_tokens), _trace(usage))
    return _block(b"\x12", b"".join(parts))


def _trace(usage: Usage) -> bytes:
    """Encodes trace and span id; an invalid id is left out, since a receiver refuses the whole request for it."""
    if not usage.trace_id:
        return b""
    try:
        trace_id, span_id = bytes.fromhex(usage.trace_id), bytes.fromhex(usage.span_id)
    except ValueError:
        return b""
    if len(trace_id) != _TRACE_BYTES:
        return b""
    return b"\x4a\x10" + trace_id + (b"\x52\x08" + span_id if len(span_id) == _SPAN_BYTES else b"")


_SCOPE: Final = _block(b"\x0a", _block(b"\x0a", semconv.SCOPE.encode()))


def request(header: Header, log_records: Sequence[bytes]) -> bytes:
    """Encodes one ExportLogsServiceRequest with log records of one writer; megabytes of records are copied once."""
    resource = _block(b"\x0a", b"".join(_block(b"\x0a", _key_value(name, value)) for name, value in header.resource.items()))
    size = len(_SCOPE) + sum(map(len, log_records))
    scope_logs = varint(size)
    resource_logs = varint(len(resource) + 1 + len(scope_logs) + size)
    return b"".join((b"\x0a", resource_logs, resource, b"\x12", scope_logs, _SCOPE, *log_records))
