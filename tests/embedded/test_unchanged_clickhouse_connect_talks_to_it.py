from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.support.embedded import new_table
from tokentrail.embedded.server import Addresses


@pytest.fixture(params=[True, False, "gzip"], ids=["lz4", "plain", "gzip"])
def client(server: Addresses, request: pytest.FixtureRequest) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=server.dsn, compress=request.param) as connected:
        yield connected


def test_queries_with_parameters_and_settings(client: Client) -> None:
    hostile = "it's \\ a\ttab\nand a 'quote'"
    found = client.query("SELECT {text:String}, {number:UInt64} + 1", parameters={"text": hostile, "number": 41}, settings={"max_threads": 1})
    assert found.result_rows == [(hostile, 42)]
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).result_rows == [(3,)]
    assert client.command("SELECT currentDatabase()") == "tokentrail"


def test_insert_and_read_back_every_value(client: Client, server: Addresses) -> None:
    table = new_table(server, "n UInt64, t DateTime64(9, 'UTC'), m Map(LowCardinality(String), String), l Array(Nullable(Int32)), d Decimal(18, 4)")
    when = dt.datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=dt.timezone.utc)
    given = [(2**64 - 1 - i, when, {"ключ": "値", "x": ""}, [1, None, -3], i) for i in range(1000)]
    client.insert(table, given, column_names=["n", "t", "m", "l", "d"])
    found = client.query(f"SELECT n, t, m, l, toInt32(d) FROM {table} ORDER BY d").result_rows
    assert [(n, t, m, list(numbers), d) for n, t, m, numbers, d in found] == [(n, when.replace(tzinfo=None), *others) for n, _, *others in given]


def test_large_answers_and_streams(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        assert sum(row[0] for block in blocks for row in block) == 499_999_500_000


def test_errors_keep_their_code(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM no_such_table")
    broken_off = client.query("SELECT throwIf(number = 700000) FROM numbers(1000000)", settings={"max_block_size": 1000})
    with pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"):
        list(broken_off.result_rows)
    assert client.ping()


def test_raw_formats_both_ways(client: Client, server: Addresses) -> None:
    table = new_table(server)
    client.raw_insert(table, column_names=["a", "s"], insert_block=b'1,"x;y"\n2,\n', fmt="CSV")
    assert client.raw_query(f"SELECT * FROM {table} ORDER BY a", fmt="JSONEachRow") == b'{"a":1,"s":"x;y"}\n{"a":2,"s":""}\n'
