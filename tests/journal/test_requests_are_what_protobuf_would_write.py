"""The encoder by hand and protobuf's own objects agree about every record."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.support import plain_otlp
from tokentrail import semconv
from tokentrail.clickhouse import sqlfiles
from tokentrail.journal import otlp
from tokentrail.journal.records import Header, encode
from tokentrail.usage import Closing, Refused, Usage

TEXTS = st.one_of(st.sampled_from(["", "chat", "gpt-4o-mini", "ü", "\U0001f600" * 50, "x" * 20_000]), st.text(max_size=300))
NUMBERS = st.one_of(st.sampled_from([0, 1, -1, 127, 128, 16_383, 16_384, 2**31, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))
TIMES = st.integers(0, 2**64 - 1)
IDS = st.one_of(
    st.just(("", "")), st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)).map(lambda two: (two[0].hex(), two[1].hex()))
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if kind is str:
        return TEXTS
    if kind is bool:
        return st.booleans()
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return st.one_of(*(st.none() if part is type(None) else values_of(part) for part in typing.get_args(kind)))
    return NUMBERS


FIELDS = {field.name: values_of(field.type) for field in msgspec.structs.fields(Usage)} | {"ts": TIMES}
IDS_LEFT = {name: strategy for name, strategy in FIELDS.items() if name not in ("trace_id", "span_id")}
USAGES = st.tuples(
    st.fixed_dictionaries({"key": TEXTS, "ts": TIMES}, optional={n: s for n, s in IDS_LEFT.items() if n not in ("key", "ts")}), IDS
).map(lambda found: Usage(**found[0], trace_id=found[1][0], span_id=found[1][1]))
RANGES = st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 2**40)), max_size=5)
CLOSINGS = st.builds(Closing, last_seq=st.integers(0, 2**62), ts=TIMES, closed_by=TEXTS, damaged=RANGES)
REFUSALS = st.builds(Refused, ranges=RANGES.filter(bool), ts=TIMES, damaged=st.booleans())
RESOURCES = st.dictionaries(TEXTS.filter(bool), st.one_of(TEXTS.filter(bool), NUMBERS), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**62), st.one_of(USAGES, CLOSINGS, REFUSALS)), max_size=4), RESOURCES)
@pytest.mark.slow
def test_by_hand_and_by_protobuf(records: list[tuple[int, Any]], resource: dict[str, Any]) -> None:
    header = Header(writer_id="0123456789abcdef" * 2, created=1, first_seq=1, resource=resource)
    by_hand = ExportLogsServiceRequest.FromString(
        otlp.request(header, [otlp.log_record(record, encode(record), number, header.writer_id) for number, record in records])
    )
    for log in by_hand.resource_logs[0].scope_logs[0].log_records:
        in_order = sorted(log.attributes, key=lambda pair: pair.key)
        del log.attributes[:]
        log.attributes.extend(in_order)
    assert by_hand == plain_otlp.request(header, records)


def sent(usage: Usage) -> LogRecord:
    request = otlp.request(Header(writer_id="w", created=1, first_seq=1), [otlp.log_record(usage, encode(usage), 1, "w")])
    (log,) = ExportLogsServiceRequest.FromString(request).resource_logs[0].scope_logs[0].log_records
    return log


def test_ids_that_are_none_are_left_out() -> None:
    for trace_id, span_id in (("xyz", "1"), ("ab", "cd"), ("a" * 32, "zz"), ("a" * 31, "b" * 16)):
        assert sent(Usage(key="k", ts=1, trace_id=trace_id, span_id=span_id)).trace_id == b""


def test_numbers_beyond_64_bits_are_no_attributes_and_stay_in_the_body() -> None:
    log = sent(Usage(key="k", ts=1, input_tokens=2**63, output_tokens=2**63 - 1))
    found = {pair.key: pair.value.int_value for pair in log.attributes}
    assert found[semconv.OUTPUT_TOKENS] == 2**63 - 1
    assert semconv.INPUT_TOKENS not in found
    assert '"input_tokens":9223372036854775808' in log.body.string_value


def test_many_combinations_of_words_are_not_kept_for_ever() -> None:
    for number in range(3000):
        assert {pair.value.string_value for pair in sent(Usage(key="k", ts=1, request_model=f"m{number}")).attributes} >= {f"m{number}"}
    assert len(otlp.remembered) <= 1024


def test_every_field_of_a_usage_is_read_in_sql() -> None:
    read = sqlfiles.render(sqlfiles.read("definitions", "usage_parse"), sqlfiles.Target("x"))
    in_record = {"event", "trace_id", "span_id"}
    for record in (Usage, Refused, Closing):
        assert [
            field.name
            for field in msgspec.structs.fields(record)
            if f"tupleElement(said, '{field.name}')" not in read and field.name not in in_record
        ] == []
