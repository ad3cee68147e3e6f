from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.support.embedded import ask, ask_text, new_table, number
from tests.support.waiting import wait_until
from tokentrail.embedded.server import Addresses


def test_slow_queries_do_not_wait_for_each_other(server: Addresses) -> None:
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(3)%'"
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask_text, server, "SELECT sleep(3)") for _ in range(8)]
        wait_until(lambda: number(server, running) >= 4, "several queries at once")
    assert [answer.result() for answer in answers] == ["0"] * 8


def test_streaming_inserts_and_queries_at_once(server: Addresses) -> None:
    table = new_table(server)

    def one(writer: int) -> int:
        lines = [b'{"a": %d, "s": "%d"}\n' % (i, writer) for i in range(200)]
        return ask(server.http, "POST", "/", lines, database="tokentrail", query=f"INSERT INTO {table} FORMAT JSONEachRow").status

    with ThreadPoolExecutor(16) as pool:
        inserts = [pool.submit(one, writer) for writer in range(40)]
        queries = [pool.submit(ask_text, server, f"SELECT count() % 200 FROM {table}") for _ in range(40)]
    assert {insert.result() for insert in inserts} == {200}
    assert {query.result() for query in queries} == {"0"}  # an insert is seen whole or not at all
    assert ask_text(server, f"SELECT count(), uniqExact(a, s) FROM {table}") == "8000\t8000"
