from __future__ import annotations

import struct

import pytest
from backports import zstd
from clickhouse_cityhash.cityhash import CityHash128

from tests.support.embedded import Reply, ask, new_table, number
from tokentrail.embedded.frames import in_frames, out_of_frames
from tokentrail.embedded.server import Addresses

LINES = b"".join(b'{"a": %d, "s": "text %d"}\n' % (i, i) for i in range(100_000))


def insert(server: Addresses, table: str, body: bytes) -> Reply:
    pieces = [body[start : start + 50_001] for start in range(0, len(body), 50_001)]
    return ask(server.http, "POST", "/", pieces, database="tokentrail", decompress="1", query=f"INSERT INTO {table} FORMAT JSONEachRow")


def test_lz4_frames_are_stored(server: Addresses) -> None:
    table = new_table(server)
    assert insert(server, table, in_frames(LINES)).status == 200
    assert number(server, f"SELECT sum(a) FROM {table}") == 4_999_950_000


def test_zstd_frames_are_stored(server: Addresses) -> None:
    table = new_table(server)
    packed = zstd.compress(LINES)
    body = struct.pack("<BII", 0x90, len(packed) + 9, len(LINES)) + packed
    digest = CityHash128(body)
    assert insert(server, table, struct.pack("<QQ", digest >> 64, digest & (2**64 - 1)) + body).status == 200
    assert number(server, f"SELECT count() FROM {table}") == 100_000


@pytest.mark.parametrize("damage", ["checksum", "data", "cut", "method", "size"])
def test_a_damaged_frame_is_refused_and_nothing_of_it_is_stored(server: Addresses, damage: str) -> None:
    table = new_table(server)
    body = bytearray(in_frames(LINES[:100_000].rpartition(b"\n")[0]))
    if damage == "cut":
        del body[-10:]
    else:
        body[{"checksum": 3, "data": 5000, "method": 16, "size": 20}[damage]] ^= 0x40
    reply = insert(server, table, bytes(body))
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (400, "271")
    assert number(server, f"SELECT count() FROM {table}") == 0


def test_answers_and_errors_come_in_frames_where_they_are_asked_for(server: Addresses) -> None:
    plain = ask(server.http, "POST", "/", "SELECT number FROM numbers(300000)")
    framed = ask(server.http, "POST", "/", "SELECT number FROM numbers(300000)", compress="1")
    assert b"".join(out_of_frames([framed.body])) == plain.body
    error = ask(server.http, "POST", "/", "SELECT x", compress="1")
    assert b"".join(out_of_frames([error.body])).startswith(b"Code: 47.")
