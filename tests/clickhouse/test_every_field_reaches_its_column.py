"""What a usage states stands in the column of that name: each field holds a value of its own, from the journal's bytes to the view."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.ledger_rows import START_NS, Land, moment, writer
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.counts import COUNTS
from tokentrail.embedded.otlp_logs import log_rows
from tokentrail.journal import otlp
from tokentrail.journal.records import Header, encode_usage
from tokentrail.usage import Usage

IN_OTHER_WORDS = {"ts", "key", "key_time", "call", "operation", "duration_ns", "time_to_first_chunk_ns"}
"""Fields whose columns have another name or unit."""
TEXTS = [
    "operation_id",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "model_family",
    "server_address",
    "error_type",
    "endpoint",
    "gen_ai_operation",
    "instrumentation",
]
FULL: dict[str, Any] = {
    **{name: f"the {name}" for name in [*TEXTS, "tenant_id", "tokenizer", "corrects_key"]},
    **{count.name: 100 + place for place, count in enumerate(COUNTS)},
    "key": "order:7",
    "key_kind": "opaque",
    "call": 3,
    "ts": START_NS,
    "operation": "summarize",
    "token_type": "fine_tuning",
    "metadata": '{"a": "b"}',
    "metadata_cut": True,
    "server_port": 8443,
    "stream": True,
    "ended": "partial",
    "attempts": 5,
    "calls": -2,
    "duration_ns": 7_000_000,
    "time_to_first_chunk_ns": 9_000_000,
    "trace_id": "ab" * 16,
    "span_id": "cd" * 8,
    "input_source": "reported",
    "output_source": "estimated",
    "input_chars": 201,
    "output_chars": 202,
    "texts": 203,
    "origin": "bridged",
}


def land_usage(land: Land, usage: Usage) -> None:
    """Put a usage into the landing table as the shipper sends it and the receiver stores it."""
    resource: dict[str, str | int] = {semconv.SERVICE_NAME: "shop", semconv.SERVICE_VERSION: "1.2", semconv.ENVIRONMENT: "test"}
    header = Header(writer_id=writer("w1"), created=1, first_seq=1, resource=resource)
    request = otlp.request(header, [otlp.log_record(usage, encode_usage(usage), 8, header.writer_id)])
    (row,) = log_rows(ExportLogsServiceRequest.FromString(request))["usage_landing"]
    land(row | {"Timestamp": moment(usage.ts)})


def test_a_usage_with_all_fields(land: Land, database: Client) -> None:
    usage = Usage(**FULL)
    assert [field.name for field in msgspec.structs.fields(Usage) if getattr(usage, field.name) == field.default] == ["key_time"]
    land_usage(land, usage)
    (row,) = database.query("SELECT * FROM usage").dicts()
    compared = msgspec.structs.asdict(usage).keys() - IN_OTHER_WORDS
    assert {name: row[name] for name in compared} == {name: getattr(usage, name) for name in compared}
    assert (row["operation_name"], row["operation"], row["idempotency_key"]) == ("summarize", "summarize", "order:7")
    assert (row["duration_ms"], row["time_to_first_chunk_ms"]) == (7.0, 9.0)
    assert (row["writer_id"], row["seq"], row["service_name"], row["service_version"], row["environment"]) == (writer("w1"), 8, "shop", "1.2", "test")
    stored = "SELECT call, toUnixTimestamp64Nano(event_ts) FROM usage_ledger"
    assert database.query(stored).rows == [(3, START_NS)]


def test_a_usage_that_states_nothing(land: Land, database: Client) -> None:
    land_usage(land, Usage(key="order:8", key_kind="opaque", ts=START_NS))
    (row,) = database.query("SELECT * FROM usage").dicts()
    assert {name: row[name] for name in [*TEXTS, "tenant_id", "tokenizer", "corrects_key", "metadata", "trace_id"]} == dict.fromkeys(
        [*TEXTS, "tenant_id", "tokenizer", "corrects_key", "metadata", "trace_id"], ""
    )
    numbers = [*(count.name for count in COUNTS), "input_chars", "output_chars", "texts", "duration_ms", "time_to_first_chunk_ms"]
    assert {name: row[name] for name in numbers} == dict.fromkeys(numbers)
    others = ("origin", "token_type", "ended", "source", "calls", "attempts", "stream", "server_port", "metadata_cut")
    assert [row[name] for name in others] == ["recorded", "llm", "complete", "unknown", 1, 1, False, 0, False]


@pytest.mark.parametrize("field", ["stream", "metadata_cut"])
def test_a_flag_that_is_stated_as_false(land: Land, database: Client, field: str) -> None:
    land_usage(land, Usage(**FULL | {field: False}))
    assert database.query(f"SELECT {field} FROM usage").rows == [(False,)]
