"""Nothing is acknowledged that a table, or a view behind it, refused. chDB's own way to insert piece by piece tells of success in all these cases."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.embedded import ask, ask_text, new_table, number, read_spooled, rows
from tests.support.otlp import Writer, spans
from tokentrail.embedded.otlp_logs import log_rows
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses

PROTOBUF = {"Content-Type": "application/x-protobuf"}
THROWN = "395"  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
LINES = b'{"a": 1, "s": "x"}\n{"a": 2, "s": "y"}\n'


def break_view(server: Addresses, source: str) -> None:
    """A view on `source` that throws for every row, as one may that finds no memory."""
    ask_text(server, "CREATE TABLE target (n UInt8) ENGINE = MergeTree ORDER BY n")
    ask_text(server, f"CREATE MATERIALIZED VIEW throws TO target AS SELECT throwIf(length(TraceId) < 100) AS n FROM {source}")


def mend_view(server: Addresses) -> None:
    ask_text(server, "DROP TABLE throws")


def usage(server: Addresses) -> tuple[int, int]:
    (found,) = rows(server, "SELECT sum(calls) AS calls, sum(input_tokens) AS tokens FROM usage")
    return found["calls"], found["tokens"] or 0


def landing_rows(request: bytes) -> tuple[str, bytes]:
    """The columns and lines of an INSERT into the landing table, as the Collector's exporter would send it."""
    entries = log_rows(ExportLogsServiceRequest.FromString(request))["usage_landing"]
    return ", ".join(entries[0]), msgspec.json.Encoder().encode_lines(entries)


def test_a_view_that_throws_is_an_error_over_http(start: Callable[..., ServerProcess]) -> None:
    server = start().addresses
    columns, lines = landing_rows(Writer().request(5))
    insert = {"query": f"INSERT INTO tokentrail.usage_landing ({columns}) FORMAT JSONEachRow"}
    break_view(server, "usage_landing")
    for settings in ({}, {"async_insert": "1", "wait_for_async_insert": "0"}, {"async_insert": "0"}):
        refused = ask(server.http, "POST", "/", lines, **insert, **settings)
        assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (500, THROWN), refused.text
        assert refused.text.startswith(f"Code: {THROWN}. DB::Exception: ")
    mend_view(server)
    for _ in range(2):  # a sender that heard nothing repeats it once more
        assert ask(server.http, "POST", "/", lines, **insert).status == 200
    assert usage(server) == (5, 15)
    assert number(server, "SELECT count() FROM usage_landing WHERE arrived_at < now() - 3600") == 0
    assert read_spooled(server) == []


def test_a_view_that_throws_makes_an_otlp_sender_try_again(start: Callable[..., ServerProcess]) -> None:
    server = start().addresses
    body = Writer().request(5)
    break_view(server, "usage_landing")
    refused = ask(server.otlp, "POST", "/v1/logs", body, PROTOBUF)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert f"Code: {THROWN}. ".encode() in refused.body
    mend_view(server)
    assert [ask(server.otlp, "POST", "/v1/logs", body, PROTOBUF).status for _ in range(2)] == [200, 200]
    assert usage(server) == (5, 15)
    assert read_spooled(server) == []


def test_also_behind_the_trace_table(start: Callable[..., ServerProcess]) -> None:
    server = start().addresses
    body = spans(secrets.token_bytes(16), ["chat"])
    break_view(server, "otel_traces")
    assert ask(server.otlp, "POST", "/v1/traces", body, PROTOBUF).status == 503
    mend_view(server)
    assert ask(server.otlp, "POST", "/v1/traces", body, PROTOBUF).status == 200
    assert number(server, "SELECT count() > 0 FROM otel_traces_trace_id_ts") == 1


@pytest.mark.parametrize(
    ("table", "settings", "status", "code"),
    [
        ("(a UInt64, s String, CONSTRAINT small CHECK a < 2) ENGINE = MergeTree ORDER BY a", {}, 500, "469"),
        ("(a UInt64, s String, b UInt8 DEFAULT throwIf(a = 2)) ENGINE = MergeTree ORDER BY a", {}, 500, THROWN),
        ("(a UInt64, s String) ENGINE = MergeTree ORDER BY a PARTITION BY a", {"max_partitions_per_insert_block": "1"}, 503, "252"),
        ("(a UInt64, s String) ENGINE = MergeTree ORDER BY a SETTINGS min_free_disk_bytes_to_perform_insert = 1000000000000000000", {}, 503, "243"),
    ],
    ids=["constraint", "default", "partitions", "full disk"],
)
def test_what_a_table_refuses_is_an_error(server: Addresses, table: str, settings: dict[str, str], status: int, code: str) -> None:
    name = f"t_{secrets.token_hex(8)}"
    ask_text(server, f"CREATE TABLE {name} {table}")
    for asynchronous in ("0", "1"):
        insert = {"query": f"INSERT INTO tokentrail.{name} (a, s) FORMAT JSONEachRow", "async_insert": asynchronous, "wait_for_async_insert": "0"}
        reply = ask(server.http, "POST", "/", LINES, **insert, **settings)
        assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (status, code), reply.text
    assert number(server, f"SELECT count() FROM {name}") == 0


def test_a_repeated_block_is_stored_once_where_the_sender_names_it(server: Addresses) -> None:
    table = new_table(server)
    ask_text(server, f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100")
    for token in ("first", "first", "second"):
        query = f"INSERT INTO tokentrail.{table} SETTINGS insert_deduplication_token = '{token}' FORMAT JSONEachRow"
        assert ask(server.http, "POST", "/", LINES, query=query).status == 200
    assert number(server, f"SELECT count() FROM {table}") == 4


def test_large_inserts_repeat_block_by_block(server: Addresses) -> None:
    table = new_table(server)
    ask_text(server, f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100")
    lines = b"".join(b"%d\tx\n" % i for i in range(1_500_000))  # more than one block
    for _ in range(2):
        assert ask(server.http, "POST", "/", lines, query=f"INSERT INTO tokentrail.{table} FORMAT TSV").status == 200
    assert number(server, f"SELECT count() FROM {table}") == 1_500_000
