"""The engine reads log requests itself. For every request, however it is written, its rows are those of the careful way, or it says that it cannot."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.support.embedded import ask, number
from tests.support.otlp import Writer, app_logs, mixed_logs, post
from tokentrail import semconv
from tokentrail.embedded.errors import TRANSIENT
from tokentrail.embedded.otlp_engine import READS_REQUESTS, framed, rows_in, table_of
from tokentrail.embedded.otlp_logs import EVENT_TABLE, LOGS_TABLE, log_rows, repeated_bytes
from tokentrail.embedded.server import Addresses

# --- requests ------------------------------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["", "a", "service.name", semconv.EVENT, semconv.SEQ, "é" * 70, "n" * 130]) | st.text(max_size=5)
TEXTS = st.text(max_size=8) | st.sampled_from([size * "x" for size in (127, 128, 129, 130, 131, 16_383, 16_384, 16_385, 16_390)])
TIMES = st.sampled_from([0, 1, 999_999_999, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)


def fields(message: type, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages with each field or without it."""
    return st.fixed_dictionaries({}, optional=strategies).map(lambda given: message(**given))


plain = (
    TEXTS.map(lambda value: AnyValue(string_value=value))
    | st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value))
    | st.booleans().map(lambda value: AnyValue(bool_value=value))
    | (st.floats(1e-6, 1e20) | st.floats(-1e20, -1e-6)).map(lambda value: AnyValue(double_value=value))
)
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

names_once = st.lists(NAMES.filter(lambda name: name != semconv.EVENT), max_size=4, unique=True)
usual_attributes = names_once.flatmap(
    lambda names: st.tuples(*(plain.map(lambda value, name=name: KeyValue(key=name, value=value)) for name in names))
)
usual_records = st.builds(
    LogRecord,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    severity_number=st.integers(0, 24),
    body=plain,
    attributes=usual_attributes,
    trace_id=st.sampled_from([b"", bytes(16), bytes(range(16))]),
)
usual_scopes = st.builds(InstrumentationScope, name=TEXTS, attributes=usual_attributes)
usual_resources = st.builds(
    ResourceLogs,
    resource=st.builds(Resource, attributes=usual_attributes),
    scope_logs=st.lists(st.builds(ScopeLogs, scope=usual_scopes, log_records=st.lists(usual_records, max_size=3)), max_size=2),
)
usual_requests = st.builds(ExportLogsServiceRequest, resource_logs=st.lists(usual_resources, max_size=2))


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


# --- rows ----------------------------------------------------------------------------------------------------------------------------------------


class Engine:
    """The engine of a running server, asked for the rows of a request."""

    def __init__(self, server: Addresses, folder: Path) -> None:
        self._server = server
        self._file = folder / "request"

    def rows(self, *bodies: bytes, table: str) -> list[dict[str, Any]] | None:
        """The rows of requests in one file; None if the engine does not read them."""
        self._file.write_bytes(b"".join(map(framed, bodies)))
        sql = f"SELECT * REPLACE (toUnixTimestamp64Nano(Timestamp) AS Timestamp) FROM ({rows_in(self._file, table)})"
        asked = {"default_format": "JSONEachRow", "output_format_json_quote_64bit_integers": "0", **READS_REQUESTS}
        reply = ask(self._server.http, "POST", "/", sql, **asked)
        if reply.status != 200:
            assert int(reply.headers["x-clickhouse-exception-code"]) not in TRANSIENT, reply.text
            return None
        return [json.loads(line) for line in reply.body.splitlines()]

    def same(self, body: bytes) -> bool:
        """Compares with the careful way. Returns whether the engine read the request; what protobuf refuses never comes so far."""
        try:
            request = ExportLogsServiceRequest.FromString(body)
        except DecodeError:
            return False
        table = table_of(request, body)
        found = self.rows(body, table=table) if table else None
        if found is None:
            return False
        expected = log_rows(request)
        assert [in_order(row) for row in found] == [in_order(row) for row in expected[table]]
        assert sum(map(len, expected.values())) == len(found)
        return True


def in_order(row: dict[str, Any]) -> list[Any]:
    """Columns by name; the entries of maps in their order; times in nanoseconds."""
    time = row["Timestamp"]
    nanoseconds = int(Decimal(bytes(time).decode()) * 10**9) if isinstance(time, msgspec.Raw) else time
    return [(name, list(value.items()) if isinstance(value, dict) else value) for name, value in sorted({**row, "Timestamp": nanoseconds}.items())]


@pytest.fixture(scope="module")
def engine(server: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(server, tmp_path_factory.mktemp("requests"))


checked = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@checked
@given(request_=requests)
def test_requests_of_libraries(engine: Engine, request_: ExportLogsServiceRequest) -> None:
    engine.same(request_.SerializeToString())


@checked
@given(request_=usual_requests)
def test_usual_requests_are_read(engine: Engine, request_: ExportLogsServiceRequest) -> None:
    """Texts, numbers and flags, each attribute once: of such requests the careful way has none to do."""
    assert engine.same(request_.SerializeToString())


@checked
@given(request_=requests)
def test_requests_in_json(engine: Engine, request_: ExportLogsServiceRequest) -> None:
    parsed = json_format.ParseDict(msgspec.json.decode(json_format.MessageToJson(request_)), ExportLogsServiceRequest())
    engine.same(parsed.SerializeToString())


@checked
@given(body=unusual())
@example(body=field(1, field(1, b"") * 2) + field(1, b""))
@example(body=field(1, field(2, field(2, field(5, b"\x0a\x01a") + field(5, b"\x0a\x01b")))))
@example(body=field(1, field(2, field(2, field(5, field(5, b"\x0a\x00") * 2, 2)))))
@example(body=field(1, field(2, field(2, field(5, b"\x0a" + varint(3, 1) + b"abc")))))
@example(body=field(1, field(2, field(2, field(5, b"\x0a\x01a\x18\x07")))))
@example(body=field(1, field(2, field(2, field(5, b"\x0a\x01a\x10\x01")))))
@example(body=field(1, field(2, field(2, field(5, b"\x0a\x01a\xf8\x07\x05")))))
@example(body=field(1, field(2, field(2, field(5, b"\x0a\x01a") + field(6, b"\x0a\x01k\x0a\x01l" + field(2, b"\x0a\x01v"))))))
@example(body=field(1, field(2, field(2, b"\x10\xff\xff\xff\xff\x0f"))))
def test_requests_as_no_library_writes_them(engine: Engine, body: bytes) -> None:
    engine.same(body)


@checked
@given(request_=requests, data=st.data())
def test_damaged_requests(engine: Engine, request_: ExportLogsServiceRequest, data: st.DataObject) -> None:
    body = bytearray(request_.SerializeToString())
    for _ in range(3 if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    engine.same(bytes(body))


def test_every_part_of_an_attribute(engine: Engine) -> None:
    """Cut anywhere, an attribute is what protobuf makes of it, or the careful way's."""
    for pair in (
        KeyValue(key="k\u00e9", value=AnyValue(string_value="value")),
        KeyValue(key="m", value=AnyValue(int_value=-1)),
        KeyValue(key="", value=AnyValue(string_value="")),
    ):
        data = pair.SerializeToString()
        for end in range(len(data) + 1):
            engine.same(field(1, field(2, field(2, field(6, data[:end]) + field(6, data)))))
            engine.same(field(1, field(2, field(2, field(6, data + data[:end])))))


def test_requests_of_services_are_read(engine: Engine) -> None:
    writer = Writer()
    for body in (b"", writer.request(50), app_logs(["x", "y"]), writer.request(2, metadata_bytes=20_000)):
        assert engine.same(body)
    assert engine.rows(writer.request(3), writer.request(2), table=EVENT_TABLE)
    assert len(engine.rows(writer.request(3), b"", writer.request(2), table=EVENT_TABLE) or []) == 5


TEXT = AnyValue(string_value="v")
OTHER_KINDS = [
    AnyValue(double_value=1e-7),
    AnyValue(double_value=-1e21),
    AnyValue(double_value=float("nan")),
    AnyValue(double_value=float("-inf")),
    AnyValue(bytes_value=b""),
    AnyValue(array_value={}),
    AnyValue(kvlist_value={}),
]
USUAL_KINDS = [TEXT, AnyValue(bool_value=False), AnyValue(bool_value=True), AnyValue(double_value=0.0), AnyValue(double_value=-0.0)]
USUAL_KINDS += [
    AnyValue(double_value=1e20),
    AnyValue(double_value=-1e-6),
    AnyValue(double_value=0.1),
    AnyValue(int_value=0),
    AnyValue(int_value=-(2**63)),
]


@pytest.mark.parametrize("place", ["record", "scope", "resource"])
@pytest.mark.parametrize(
    "odd", [*([KeyValue(key="k", value=value)] for value in (AnyValue(), *OTHER_KINDS)), [KeyValue(key="k", value=TEXT)] * 2], ids=str
)
def test_one_odd_attribute_needs_the_careful_way(engine: Engine, place: str, odd: list[KeyValue]) -> None:
    request = ExportLogsServiceRequest.FromString(Writer().request(2))
    of_resource = request.resource_logs[0]
    of_scope = of_resource.scope_logs[0]
    of_scope.scope.name = "s"
    assert engine.same(request.SerializeToString())
    {"record": of_scope.log_records[1], "scope": of_scope.scope, "resource": of_resource.resource}[place].attributes.extend(odd)
    assert not engine.same(request.SerializeToString())


def with_body(body: AnyValue | None) -> bytes:
    request = ExportLogsServiceRequest.FromString(app_logs(["x", "y"]))
    record = request.resource_logs[0].scope_logs[0].log_records[1]
    record.ClearField("body")
    if body is not None:
        record.body.CopyFrom(body)
    return request.SerializeToString()


@pytest.mark.parametrize("body", OTHER_KINDS, ids=str)
def test_a_body_of_another_kind_needs_the_careful_way(engine: Engine, body: AnyValue) -> None:
    assert not engine.same(with_body(body))


@pytest.mark.parametrize("body", [*USUAL_KINDS, AnyValue(), None], ids=str)
def test_usual_values_are_read(engine: Engine, body: AnyValue | None) -> None:
    assert engine.same(with_body(body))
    request = ExportLogsServiceRequest.FromString(with_body(TEXT))
    request.resource_logs[0].scope_logs[0].log_records[0].attributes.append(KeyValue(key="k", value=body if body in USUAL_KINDS else TEXT))
    assert engine.same(request.SerializeToString())


EVERY_FIELD = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            resource=Resource(attributes=[KeyValue(key="service.name", value=TEXT)]),
            scope_logs=[
                ScopeLogs(
                    scope=InstrumentationScope(name="s", version="1", attributes=[KeyValue(key="n", value=AnyValue(int_value=7))]),
                    log_records=[
                        LogRecord(
                            time_unix_nano=1,
                            observed_time_unix_nano=2,
                            severity_number=9,
                            severity_text="INFO",
                            body=TEXT,
                            attributes=[KeyValue(key="a", value=TEXT), KeyValue(key="b", value=AnyValue(double_value=0.5))],
                            flags=1,
                            trace_id=bytes(range(16)),
                            span_id=bytes(range(8)),
                            event_name="e",
                        )
                    ],
                    schema_url="u",
                )
            ],
            schema_url="v",
        )
    ]
)


@pytest.mark.parametrize("wire", [b"\x05", b"", b"12345678", b"1234"], ids=["varint", "bytes", "fixed64", "fixed32"])
def test_a_field_of_another_wire_type_is_not_its_value(engine: Engine, wire: bytes) -> None:
    """Protobuf takes it for an unknown field; at the end of each message, for each of its fields."""
    kind = {b"\x05": 0, b"12345678": 1, b"": 2, b"1234": 5}[wire]
    body = EVERY_FIELD.SerializeToString()
    assert engine.same(body)
    read = 0
    for path in ([], [1], [1, 1], [1, 1, 1], [1, 1, 1, 2], [1, 2], [1, 2, 1], [1, 2, 2], [1, 2, 2, 5], [1, 2, 2, 6], [1, 2, 2, 6, 2]):
        for place in range(1, 14):
            extra = varint(place << 3 | kind) + (b"\x00" if wire == b"" else wire)
            read += engine.same(grown(body, path, extra))
    assert read < 11 * 13


def grown(message: bytes, path: list[int], extra: bytes) -> bytes:
    """The message with `extra` at the end of the first message at the path of field numbers."""
    if not path:
        return message + extra
    parts, at, done = [], 0, False
    while at < len(message):
        tag, at_value = read_varint(message, at)
        start = at
        if tag & 7 == 2:
            size, at = read_varint(message, at_value)
            inner, at = message[at : at + size], at + size
            if tag >> 3 == path[0] and not done:
                done = True
                parts.append(field(path[0], grown(inner, path[1:], extra)))
                continue
        else:
            at = at_value + {1: 8, 5: 4}[tag & 7] if tag & 7 else read_varint(message, at_value)[1]
        parts.append(message[start:at])
    return b"".join(parts)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return found, at


def test_ledger_and_application_in_one_request_need_the_careful_way(engine: Engine) -> None:
    body = mixed_logs(Writer(), ["a", "b"])
    assert not engine.same(body)
    assert [len(rows) for rows in log_rows(ExportLogsServiceRequest.FromString(body)).values()] == [1, 2]
    assert engine.rows(body, table=LOGS_TABLE) is None


def test_both_ways_store_the_same(server: Addresses) -> None:
    """The careful way, which a value of another kind asks for, and the engine's own: all numbers count once and alike."""
    before = number(server, "SELECT count() FROM usage")
    writer = Writer()
    usual, odd = writer.request(3), ExportLogsServiceRequest.FromString(writer.request(3))
    for record in odd.resource_logs[0].scope_logs[0].log_records:
        record.attributes.append(KeyValue(key="ratio", value=AnyValue(double_value=1e300)))
    quarantined = "SELECT count() FROM quarantine"
    refused = number(server, quarantined)
    assert post(server.otlp, "logs", usual) == post(server.otlp, "logs", odd.SerializeToString()) == 200
    assert number(server, "SELECT count() FROM usage") == before + 6
    assert number(server, quarantined) == refused
    stored = f"SELECT count() FROM usage_landing WHERE LogAttributes['{semconv.WRITER_ID}'] = '{writer.writer_id}'"
    assert number(server, f"{stored} AND LogAttributes['ratio'] = '1e+300'") == 3
    assert number(server, f"{stored} AND NOT mapContains(LogAttributes, 'ratio')") == 3


def test_nothing_is_left_in_the_working_directory(server: Addresses) -> None:
    before = set(Path().iterdir())
    assert post(server.otlp, "logs", Writer().request(1)) == 200
    assert set(Path().iterdir()) == before
    assert not Path("__cache__").exists()


def test_what_rows_repeat_is_known_beforehand(server: Addresses) -> None:
    resource = field(1, field(1, b"\x0a\x01k" + field(2, field(1, b"v" * 10_000))))
    small = field(1, resource + field(2, field(2, b"") * 9))
    assert repeated_bytes(ExportLogsServiceRequest.FromString(small)) == 9 * (len(resource) - 3)
    large = field(1, resource + field(2, field(2, b"") * 60_000))
    reply = ask(server.otlp, "POST", "/v1/logs", large, {"Content-Type": "application/x-protobuf"})
    assert (reply.status, "512 MiB" in reply.text) == (413, True)
