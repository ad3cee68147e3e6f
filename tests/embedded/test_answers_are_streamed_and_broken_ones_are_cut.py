from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.support.embedded import ask, ask_text, connected, number
from tests.support.processes import peak_kib
from tests.support.waiting import wait_until
from tokentrail.embedded.server import Addresses

SLOW = "SELECT number, sleepEachRow(0.02) FROM numbers(100000) SETTINGS max_block_size = 5, function_sleep_max_microseconds_per_block = 3000000"


def test_the_first_rows_come_while_the_query_runs_and_it_ends_with_its_client(server: Addresses) -> None:
    with connected(server.http) as connection:
        sql = f"/* streamed */ {SLOW}".encode()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(sql), sql))
        received = b""
        while b"\n4\t0\n" not in received:
            received += connection.recv(4096)
        running = "SELECT count() FROM system.processes WHERE query LIKE '%/* streamed */ SELECT%' AND query NOT LIKE '%system.processes%'"
        assert number(server, running) == 1
    wait_until(lambda: number(server, running) == 0, "the query ends", deadline_s=20)


def test_a_large_answer_needs_no_large_memory(server: Addresses) -> None:
    ask_text(server, "SELECT 1")
    before = peak_kib(server.pid)
    address = urlsplit(server.http)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    connection.request("POST", "/", "SELECT number FROM numbers(60000000) FORMAT RowBinary")
    answer = connection.getresponse()
    size = 0
    while piece := answer.read(1 << 20):
        size += len(piece)
    connection.close()
    assert size == 480_000_000
    assert peak_kib(server.pid) - before < 200 << 10


@pytest.mark.parametrize("query", [{}, {"compress": "1"}], ids=["plain", "frames"])
def test_an_exception_after_the_head_is_told_and_the_answer_is_cut(server: Addresses, query: dict[str, str]) -> None:
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(server.http, "POST", "/", "SELECT throwIf(number = 500000) FROM numbers(1000000)", max_block_size="1000", **query)
    if not query:
        tail = cut.value.partial[-700:].decode()
        head, _, told = tail.partition("\r\n__exception__\r\n")
        tag, _, message = told.partition("\r\n")
        assert head.endswith("0\n")
        assert len(tag) == 16
        assert message.startswith("Code: 395. DB::Exception: ")
        assert message.endswith(f" {tag}\r\n__exception__\r\n")


def test_the_server_is_well_afterwards(server: Addresses) -> None:
    assert ask(server.http, "GET", "/ping").status == 200
