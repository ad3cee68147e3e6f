from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.embedded import ask, connected, new_table, number, read_everything, read_spooled
from tests.support.waiting import wait_until
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses

LINES = b"".join(b'{"a": %d, "s": "text"}\n' % i for i in range(5000))
HEAD = b"POST /?query=INSERT+INTO+tokentrail.%b+FORMAT+JSONEachRow HTTP/1.1\r\nHost: localhost\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: %d\r\n\r\n%b" % (len(LINES) + 1, LINES), b"Transfer-Encoding: chunked\r\n\r\n" + chunk(LINES)],
    ids=["length", "chunks"],
)
def test_a_client_that_leaves_in_the_middle(server: Addresses, body: bytes) -> None:
    table = new_table(server)
    with connected(server.http) as connection:
        connection.sendall(HEAD % table.encode() + body)
        wait_until(lambda: read_spooled(server) == [LINES], "what was sent has arrived")
    wait_until(lambda: read_spooled(server) == [], "the request is over")
    assert number(server, f"SELECT count() FROM {table}") == 0


def test_a_kill_in_the_middle_leaves_nothing_behind(start: Callable[..., ServerProcess]) -> None:
    first = start()
    table = new_table(first.addresses)
    with connected(first.addresses.http) as connection:
        connection.sendall(HEAD % table.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(LINES))
        wait_until(lambda: read_spooled(first.addresses) == [LINES], "what was sent has arrived")
        first.kill()
    assert read_spooled(first.addresses) == [LINES]
    second = start()
    assert read_spooled(second.addresses) == []
    assert number(second.addresses, f"SELECT count() FROM {table}") == 0


def test_a_chunk_of_impossible_size(server: Addresses) -> None:
    table = new_table(server)
    with connected(server.http) as connection:
        connection.sendall(HEAD % table.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(LINES) + b"xyz\r\n")
        assert b" 400 " in read_everything(connection)
    assert number(server, f"SELECT count() FROM {table}") == 0


@pytest.mark.parametrize("data", [b"", b"\n", b" "], ids=["nothing", "newline", "space"])
def test_an_insert_without_data_is_refused(server: Addresses, data: bytes) -> None:
    table = new_table(server)
    statement = f"INSERT INTO tokentrail.{table} FORMAT JSONEachRow"
    in_body = ask(server.http, "POST", "/", statement.encode() + data)
    assert (in_body.status, in_body.headers["x-clickhouse-exception-code"]) == (400, "108")
    if not data:
        for query in ({}, {"decompress": "1"}):
            in_url = ask(server.http, "POST", "/", data, query=statement, **query)
            assert (in_url.status, in_url.headers["x-clickhouse-exception-code"]) == (400, "108")


def test_one_bad_row_takes_all_with_it(server: Addresses) -> None:
    table = new_table(server)
    reply = ask(server.http, "POST", "/", LINES + b'{"a": "no number"}\n', query=f"INSERT INTO tokentrail.{table} FORMAT JSONEachRow")
    assert reply.status == 400
    assert number(server, f"SELECT count() FROM {table}") == 0


def test_what_is_left_of_a_refused_body_is_no_request(server: Addresses) -> None:
    smuggled = b"POST /?query=SELECT+42 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    body = b"x" * 200_000 + smuggled
    with connected(server.http) as connection:
        connection.sendall(b"POST /?query=INSERT+INTO+no_such_table+FORMAT+CSV HTTP/1.1\r\nHost: localhost\r\n")
        connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + smuggled)
        answers = read_everything(connection)
    assert answers.startswith(b"HTTP/1.1 404 ")
    assert answers.count(b"HTTP/1.1") == 1
