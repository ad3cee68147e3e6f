"""Journal records as OTLP log records, written as protobuf by hand: building the same through protobuf's objects takes five times as long.

The layout is that of opentelemetry/proto/logs/v1/logs.proto; a test holds every record against protobuf's own objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tokentrail import semconv
from tokentrail.journal.records import INT64, Header
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["ATTRIBUTES", "log_record", "request"]

# field of Usage -> attribute; ts, trace_id and span_id are the log record's own. A field that holds its "not stated" value is left out.
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
    "input_tokens": semconv.INPUT_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "cache_read_tokens": semconv.CACHE_READ_TOKENS,
    "cache_write_tokens": semconv.CACHE_WRITE_TOKENS,
    "reasoning_tokens": semconv.REASONING_TOKENS,
    "audio_input_tokens": semconv.AUDIO_INPUT_TOKENS,
    "audio_output_tokens": semconv.AUDIO_OUTPUT_TOKENS,
    "image_input_tokens": semconv.IMAGE_INPUT_TOKENS,
    "image_output_tokens": semconv.IMAGE_OUTPUT_TOKENS,
    "consumed_input_tokens": semconv.CONSUMED_INPUT_TOKENS,
    "consumed_output_tokens": semconv.CONSUMED_OUTPUT_TOKENS,
    "input_source": semconv.INPUT_SOURCE,
    "output_source": semconv.OUTPUT_SOURCE,
    "tokenizer": semconv.TOKENIZER,
    "input_chars": semconv.INPUT_CHARS,
    "output_chars": semconv.OUTPUT_CHARS,
    "texts": semconv.TEXTS,
    "corrects_key": semconv.CORRECTS_KEY,
}
_ZERO_IS_NOT_STATED: Final = ("key_time", "call", "server_port", "attempts")
_ONE_OF_A_KIND: Final = ("key", "metadata", "operation_id", "response_id", "corrects_key")

SEVERITY_INFO: Final = 9
_REMEMBERED: Final = 4096
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8


def _varint(number: int) -> bytes:
    """A number as protobuf's varint; negative ones as 64-bit two's complement."""
    number &= 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while number > 127:  # noqa: PLR2004 - seven bits a byte
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_SHORT: Final = tuple(map(_varint, range(1 << 14)))


def _length(data: bytes) -> bytes:
    size = len(data)
    return _SHORT[size] if size < len(_SHORT) else _varint(size)


def _block(tag: bytes, data: bytes) -> bytes:
    return tag + _length(data) + data


def _attribute(name: bytes, value: bytes) -> bytes:
    """`LogRecord.attributes`: KeyValue of a name that is already a field, and an AnyValue."""
    pair = name + b"\x12" + _length(value) + value
    return b"\x32" + _length(pair) + pair


_remembered: dict[tuple[bytes, str], bytes] = {}


def _word(name: bytes, value: str) -> bytes:
    """An attribute whose few values come again and again (models, tenants): made once."""
    found = _remembered.get((name, value))
    if found is None:
        found = _text(name, value)
        if len(_remembered) >= _REMEMBERED:
            _remembered.clear()
        if len(found) < _REMEMBERED:
            _remembered[name, value] = found
    return found


def _text(name: bytes, value: str) -> bytes:
    return _attribute(name, _block(b"\x0a", value.encode("utf-8", "backslashreplace"))) if value else b""


def _number(name: bytes, value: int | None) -> bytes:
    if value is None or value not in INT64:
        return b""
    return _attribute(name, b"\x18" + (_SHORT[value] if 0 <= value < len(_SHORT) else _varint(value)))


def _stated_number(name: bytes, value: int) -> bytes:
    return _number(name, value) if value else b""


def _flag(name: bytes, value: bool) -> bytes:
    return _attribute(name, b"\x10\x01") if value else b""


def _nothing(_name: bytes, _value: Any) -> bytes:
    return b""


def _how(field: msgspec.structs.FieldInfo) -> tuple[bytes, Callable[[bytes, Any], bytes]]:
    """The attribute's name as protobuf, and how the field's value is written."""
    if field.name not in ATTRIBUTES:
        return b"", _nothing
    name = _block(b"\x0a", ATTRIBUTES[field.name].encode())
    if field.type is str:
        return name, _text if field.name in _ONE_OF_A_KIND else _word
    if field.type is bool:
        return name, _flag
    return name, _stated_number if field.name in _ZERO_IS_NOT_STATED else _number


_PLAN: Final = tuple(_how(field) for field in msgspec.structs.fields(Usage))


def _named(name: str) -> bytes:
    return _block(b"\x0a", name.encode())


_SEQ: Final = _named(semconv.SEQ)
_WRITER_ID: Final = _named(semconv.WRITER_ID)
_LAST_SEQ: Final = _named(semconv.LAST_SEQ)
_CLOSED_BY: Final = _named(semconv.CLOSED_BY)
_DAMAGED: Final = _named(semconv.DAMAGED_RANGES)
_REFUSED: Final = _named(semconv.REFUSED_RANGES)


def _same_for_all(event: str) -> tuple[bytes, bytes]:
    """What every record of an event begins (severity, event, schema) and ends with (the event's name)."""
    head = b"\x10" + _varint(SEVERITY_INFO)
    head += _text(_named(semconv.EVENT), event) + _number(_named(semconv.SCHEMA), semconv.SCHEMA_VERSION)
    return head, _block(b"\x62", f"{semconv.EVENT_NAME_PREFIX}{event}".encode())


_USAGE: Final = _same_for_all(semconv.EVENT_USAGE)
_CLOSING_EVENT: Final = _same_for_all(semconv.EVENT_CLOSING)
_REFUSED_EVENT: Final = _same_for_all(semconv.EVENT_REFUSED)


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(f"{low}-{high}" for low, high in ranges)


def log_record(record: Usage | Refused | Closing, number: int, writer_id: str) -> bytes:
    """One record as an entry of `ScopeLogs.log_records`, ready to be put into a request."""
    writer = _word(_WRITER_ID, writer_id)
    if isinstance(record, Usage):
        head, name = _USAGE
        values = [write(attribute, value) for (attribute, write), value in zip(_PLAN, msgspec.structs.astuple(record), strict=True)]
        parts = [head, writer, _number(_SEQ, number), *values, _trace(record), name]
    elif isinstance(record, Closing):
        head, name = _CLOSING_EVENT
        damaged = _text(_DAMAGED, _ranges(record.damaged))
        parts = [head, writer, _number(_LAST_SEQ, record.last_seq), _text(_CLOSED_BY, record.closed_by), damaged, name]
    else:
        head, name = _REFUSED_EVENT
        parts = [head, writer, _text(_REFUSED, _ranges(record.ranges)), name]
    return _block(b"\x12", b"".join((b"\x09", (record.ts & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"), *parts)))


def _trace(usage: Usage) -> bytes:
    """Trace and span id; ids that are none are left out, since a request with one is refused whole."""
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
    """One ExportLogsServiceRequest with a writer's records, serialized."""
    attributes = (_text(_named(name), value) if isinstance(value, str) else _number(_named(name), value) for name, value in header.resource.items())
    # the attributes of a resource are its field 1, those of a log record its field 6
    resource = b"".join(b"\x0a" + attribute[1:] for attribute in attributes if attribute)
    scope_logs = b"".join((_SCOPE, *log_records))
    return _block(b"\x0a", _block(b"\x0a", resource) + _block(b"\x12", scope_logs))
