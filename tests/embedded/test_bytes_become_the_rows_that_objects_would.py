"""Log records go from bytes to bytes. For every request, however it is written, the rows are those of protobuf's own objects, one by one."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.support.log_rows import Rows, log_rows
from tests.support.otlp import Writer, app_logs, mixed_logs
from tokentrail import semconv
from tokentrail.embedded import otlp_logs
from tokentrail.embedded.otlp_logs import COLUMNS, log_blocks

# --- requests ------------------------------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["", "a", "service.name", semconv.EVENT, semconv.SEQ, "é" * 70, "n" * 130]) | st.text(max_size=5)
TEXTS = st.text(max_size=8) | st.sampled_from([size * "x" for size in (127, 128, 129, 130, 131, 16_383, 16_384, 16_385, 16_390)])
TIMES = st.sampled_from([0, 1, 999_999_999, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)


def fields(message: type, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages with each field or without it."""
    return st.fixed_dictionaries({}, optional=strategies).map(lambda given: message(**given))


scalars = (
    st.builds(AnyValue)
    | TEXTS.map(lambda value: AnyValue(string_value=value))
    | st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value))
    | st.booleans().map(lambda value: AnyValue(bool_value=value))
    | st.floats().map(lambda value: AnyValue(double_value=value))
    | st.binary(max_size=5).map(lambda value: AnyValue(bytes_value=value))
)


def _containers(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    entries = st.lists(fields(KeyValue, key=NAMES, value=inner), max_size=3)
    return st.lists(inner, max_size=3).map(lambda values: AnyValue(array_value={"values": values})) | entries.map(
        lambda values: AnyValue(kvlist_value={"values": values})
    )


values = scalars | st.recursive(scalars, _containers, max_leaves=4)
attributes = st.lists(fields(KeyValue, key=NAMES, value=values), max_size=5)
records = fields(
    LogRecord,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    severity_number=st.integers(-(2**31), 2**31 - 1),
    severity_text=TEXTS,
    body=values,
    attributes=attributes,
    flags=st.integers(0, 2**32 - 1),
    trace_id=st.sampled_from([b"", bytes(16), bytes(range(16))]) | st.binary(max_size=20),
    span_id=st.sampled_from([b"", bytes(8), b"\0" * 7 + b"\1"]),
    event_name=TEXTS,
    dropped_attributes_count=st.just(3),
)
scopes = fields(InstrumentationScope, name=TEXTS, version=TEXTS, attributes=attributes)
scope_logs = fields(ScopeLogs, scope=scopes, log_records=st.lists(records, max_size=3), schema_url=TEXTS)
resource_logs = fields(ResourceLogs, resource=fields(Resource, attributes=attributes), scope_logs=st.lists(scope_logs, max_size=2), schema_url=TEXTS)
requests = fields(ExportLogsServiceRequest, resource_logs=st.lists(resource_logs, max_size=2))


# --- the same in other bytes -----------------------------------------------------------------------------------------------------------------------


def varint(number: int, padding: int = 0) -> bytes:
    """A varint, in its shortest form or with bytes that say nothing."""
    encoded = []
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes([*encoded[:-1], *([encoded[-1] | 128] + [128] * (padding - 1) + [0] if padding else encoded[-1:])])


def field(number: int, data: bytes, padding: int = 0) -> bytes:
    return varint(number << 3 | 2) + varint(len(data), padding) + data


@st.composite
def unusual(draw: st.DrawFn) -> bytes:
    """A request as no library writes it: fields that may come once come often, in any order, with long lengths, unknown ones, wrong types, zeros."""
    padding = st.sampled_from([0, 0, 0, 1, 2])

    def message(*kinds: tuple[int, st.SearchStrategy[bytes]]) -> bytes:
        pieces = [field(number, draw(inner), draw(padding)) for number, inner in draw(st.lists(st.sampled_from(kinds), max_size=6))]
        odd = [
            b"",
            b"\xf8\x07\x05",
            b"\xfa\x07\x01x",
            b"\x32\x00",
            b"\x12\x00",
            b"\x0a\x00",
            b"\xfb\x07\xfc\x07",
            b"\x10\xff\xff\xff\xff\x0f",
            b"\x28\x01",
        ]
        pieces.append(draw(st.sampled_from(odd)))
        return b"".join(draw(st.permutations(pieces)))

    def built(*kinds: tuple[int, st.SearchStrategy[bytes]]) -> st.SearchStrategy[bytes]:
        return st.builds(lambda: message(*kinds))

    value = values.map(lambda given: given.SerializeToString())
    noise = st.sampled_from([b"\xff", b"\x80", b"\x0a\x01\xff", b""])
    pair = built((1, NAMES.map(str.encode)), (2, value)) | built((1, noise))
    record = built((5, value), (6, pair), (9, st.just(bytes(16))), (12, TEXTS.map(str.encode)), (3, st.just(b"x"))) | records.map(
        lambda given: given.SerializeToString()
    )
    scope = scopes.map(lambda given: given.SerializeToString()) | built((1, st.just(b"s")), (3, pair))
    within = built((1, scope), (2, record), (3, TEXTS.map(str.encode)))
    outer = built((1, built((1, pair))), (2, within), (3, st.just(b"url")))
    return message((1, outer))


def nested(levels: int, head: Callable[[bytes], bytes]) -> bytes:
    inner = b"\x0a\x01x"
    for _ in range(levels):
        inner = field(5, field(1, inner))
    return field(1, field(2, field(2, head(inner))))


# --- rows ----------------------------------------------------------------------------------------------------------------------------------------


def read(block: bytes) -> Iterator[dict[str, Any]]:
    """Rows from RowBinary; a map with a name twice fails."""
    at = 0

    def number() -> int:
        nonlocal at
        found = shift = 0
        while True:
            byte = block[at]
            at += 1
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found

    def text() -> str:
        nonlocal at
        size = number()
        at += size
        return block[at - size : at].decode()

    while at < len(block):
        row: dict[str, Any] = {}
        for name, kind in COLUMNS.items():
            if kind == "UInt8":
                row[name] = block[at]
                at += 1
            elif kind == "String":
                row[name] = text()
            elif kind.startswith("Map"):
                pairs = [(text(), text()) for _ in range(number())]
                row[name] = dict(pairs)
                assert len(row[name]) == len(pairs)
            else:
                seconds, fraction = divmod(struct.unpack_from("<q", block, at)[0], 10**9)
                row[name] = f"{seconds}.{fraction:09d}"
                at += 8
        yield row


def in_order(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Columns by name; the entries of maps in their order."""
    return [[(name, list(row[name].items()) if isinstance(row[name], dict) else row[name]) for name in COLUMNS] for row in rows]


def same(body: bytes) -> Rows | None:
    """Compares; the rows, or None for what protobuf refuses, which is refused here too."""
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError:
        with pytest.raises((DecodeError, UnicodeDecodeError)):
            log_blocks(body)
        return None
    expected = log_rows(request)
    for rows in expected.values():
        for row in rows:
            row["Timestamp"] = bytes(row["Timestamp"]).decode()
            assert set(row) == set(COLUMNS)
    blocks = log_blocks(body)
    assert list(blocks) == list(expected)
    for table, block in blocks.items():
        assert in_order(list(read(block))) == in_order(expected[table])
    return expected


@settings(max_examples=200, deadline=None)
@given(requests)
def test_requests_of_libraries(request: ExportLogsServiceRequest) -> None:
    same(request.SerializeToString())


@settings(max_examples=150, deadline=None)
@given(requests)
def test_requests_in_json(request: ExportLogsServiceRequest) -> None:
    same(json_format.ParseDict(msgspec.json.decode(json_format.MessageToJson(request)), ExportLogsServiceRequest()).SerializeToString())


@settings(max_examples=200, deadline=None)
@given(unusual())
@example(field(1, field(1, b"") * 2) + field(1, b""))
@example(field(1, field(2, field(2, field(5, b"\x0a\x01a") + field(5, b"\x0a\x01b")))))
@example(field(1, field(2, field(2, field(5, field(5, b"\x0a\x00") * 2, 2)))))
@example(field(1, field(2, field(2, field(5, b"\x0a" + varint(3, 1) + b"abc")))))
@example(field(1, field(2, field(2, field(5, b"\x0a\x01a\x18\x07")))))
@example(field(1, field(2, field(2, field(5, b"\x0a\x01a\xf8\x07\x05")))))
@example(field(1, field(2, field(2, b"\x10\xff\xff\xff\xff\x0f"))))
def test_requests_as_no_library_writes_them(body: bytes) -> None:
    same(body)


@settings(max_examples=200, deadline=None)
@given(requests, st.data())
def test_damaged_requests(request: ExportLogsServiceRequest, data: st.DataObject) -> None:
    """A request that protobuf still understands has rows; all others are refused."""
    body = bytearray(request.SerializeToString())
    for _ in range(3 if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    same(bytes(body))


@pytest.mark.parametrize("head", [lambda value: field(5, value), lambda value: field(6, b"\x0a\x01k" + field(2, value))], ids=["body", "attribute"])
def test_as_deep_as_protobuf_reads(head: Callable[[bytes], bytes]) -> None:
    """A body and an attribute are read on their own, so they may be a few levels deeper than within a request."""
    refused = 0
    for levels in range(40, 60):
        body = nested(levels, head)
        try:
            ExportLogsServiceRequest.FromString(body)
        except DecodeError:
            refused += 1
            with contextlib.suppress(DecodeError):
                assert log_blocks(body)["otel_logs"]
        else:
            assert same(body)["otel_logs"]
    assert 0 < refused < 20


def test_requests_of_services() -> None:
    writer = Writer()
    for body in (b"", writer.request(50), app_logs(["x", ""]), mixed_logs(writer, ["a", "b"]), writer.request(2, metadata_bytes=20_000)):
        same(body)
    rows = same(mixed_logs(writer, ["a", "b"]))
    assert [len(rows[table]) for table in ("usage_landing", "otel_logs")] == [1, 2]


@pytest.mark.parametrize("size", [2, 3, 64, 129, 130, 131, 132, 16_386, 16_387, 16_388, 2_097_155, 2_097_156])
@pytest.mark.parametrize("rest", [b"\x10\x01\x10\x01", b"\xf8\x07\x05", b"\x10\x01", b""])
def test_a_body_that_is_longer_than_its_text(size: int, rest: bytes) -> None:
    """A text, then something else: no size of the whole makes the rest a part of the text. No text alone has 130 bytes with its tag and length."""
    for padding in (0, 1):
        for width in range(max(0, size - len(rest) - 8), size):
            value = b"\x0a" + varint(width, padding) + b"A" * width + rest
            if len(value) == size:
                same(field(1, field(2, field(2, field(5, value)) * 2)))


def test_every_part_of_an_attribute() -> None:
    """Cut anywhere, an attribute is what protobuf makes of it, or refused."""
    whole = [
        KeyValue(key="k\u00e9", value=AnyValue(string_value="value")),
        KeyValue(key="n", value=AnyValue(int_value=300)),
        KeyValue(key="m", value=AnyValue(int_value=-1)),
        KeyValue(key="", value=AnyValue(string_value="")),
    ]
    for pair in whole:
        data = pair.SerializeToString()
        for end in range(len(data) + 1):
            same(field(1, field(2, field(2, field(6, data[:end]) + field(6, data)))))
            same(field(1, field(2, field(2, field(6, data + data[:end])))))


@pytest.mark.parametrize("number", [1, 2, 5], ids=["resource", "scope", "body"])
def test_pieces_that_are_no_messages_alone_are_refused(number: int) -> None:
    def request(piece: bytes) -> bytes:
        return {1: field(1, piece), 2: field(1, field(2, piece)), 5: field(1, field(2, field(2, piece)))}[number]

    place = {1: 1, 2: 1, 5: 5}[number]
    assert same(request(field(place, b"\x0a\x06ab") + field(place, b"cdef"))) is None
    whole = {1: field(1, b"\x0a\x01k"), 2: b"\x0a\x01s", 5: b"\x0a\x01x"}[number]
    same(request(field(place, whole) + field(place, whole)))


def test_rows_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_logs, "MAX_ROWS", 100_000)
    resource = field(1, field(1, b"\x0a\x01k" + field(2, field(1, b"v" * 10_000))))
    assert log_blocks(field(1, resource + field(2, field(2, b"") * 9)))["otel_logs"]
    with pytest.raises(OverflowError):
        log_blocks(field(1, resource + field(2, field(2, b"") * 10)))
