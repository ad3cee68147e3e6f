from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.embedded import number
from tests.support.otlp import Writer, app_logs, post
from tests.support.waiting import wait_until
from tokentrail.embedded import group_commit
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.group_commit import GroupCommit
from tokentrail.embedded.server import Addresses


class Table:
    """A table whose first INSERT takes until `go`; rows that begin with `bad` are refused, rows that begin with `bug` find a bug."""

    def __init__(self) -> None:
        self.inserts: list[list[bytes]] = []
        self.stored: list[bytes] = []
        self.running = 0
        self.go = threading.Event()

    def insert(self, rows: Sequence[bytes]) -> None:
        self.inserts.append(list(rows))
        self.running += 1
        assert self.running == 1
        try:
            assert self.go.wait(30)
            if any(row.startswith(b"bad") for row in rows):
                raise EngineError(241, f"no room for {rows[0].decode()}")
            if any(row.startswith(b"bug") for row in rows):
                raise ZeroDivisionError
            self.stored += rows
        finally:
            self.running -= 1


def stored_beside_a_slow_one(*rows: bytes) -> tuple[Table, list[Future[None]]]:
    """One request in its INSERT, the others waiting; then the INSERT ends. All have an answer."""
    table = Table()
    commit = GroupCommit(table.insert)
    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(commit.store, b"first")]
        wait_until(lambda: table.inserts == [[b"first"]], "the first is being stored")
        for waiting, row in enumerate(rows, start=1):
            answers.append(threads.submit(commit.store, row))
            wait_until(lambda expected=waiting: len(commit.waiting) == expected, "it waits")
        assert not any(answer.done() for answer in answers)
        table.go.set()
    return table, answers


def test_those_that_wait_are_one_insert() -> None:
    table, answers = stored_beside_a_slow_one(b"a", b"b", b"c")
    assert table.inserts == [[b"first"], [b"a", b"b", b"c"]]
    assert [answer.exception() for answer in answers] == [None] * 4


def test_no_more_than_an_insert_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_GROUP", 10)
    table, answers = stored_beside_a_slow_one(b"a" * 6, b"b" * 4, b"c", b"d" * 20, b"e")
    assert table.inserts[1:] == [[b"a" * 6, b"b" * 4], [b"c"], [b"d" * 20], [b"e"]]
    assert [answer.exception() for answer in answers] == [None] * 6


def test_an_error_is_the_error_of_one() -> None:
    table, answers = stored_beside_a_slow_one(b"a", b"bad", b"c")
    assert table.stored == [b"first", b"a", b"c"]
    assert [str(answer.exception() or "") for answer in answers] == ["", "", "Code: 241. DB::Exception: no room for bad", ""]


@pytest.mark.parametrize("others", [[b"a", b"bug", b"c"], [b"bad", b"bug", b"c"]], ids=["together", "one by one"])
def test_nothing_is_acknowledged_that_met_a_bug(others: list[bytes]) -> None:
    table, answers = stored_beside_a_slow_one(*others)
    assert table.stored == [b"first"]
    assert answers[0].exception() is None
    assert all(answer.exception() for answer in answers[1:])


def test_each_row_of_many_senders_is_stored_once(server: Addresses) -> None:
    def send(_: int) -> list[int | None]:
        writer = Writer()
        return [post(server.otlp, "logs", body) for body in (writer.request(3), app_logs(["shared insert"]), writer.request(2))]

    before = number(server, "SELECT count() FROM usage_landing")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(send, range(24))) == [[200, 200, 200]] * 24
    assert number(server, "SELECT count() FROM usage_landing") == before + 24 * 5
    assert number(server, "SELECT count() FROM otel_logs WHERE Body = 'shared insert'") == 24
    assert number(server, f"SELECT uniqExact(arrived_at) FROM (SELECT arrived_at FROM usage_landing ORDER BY arrived_at DESC LIMIT {24 * 5})") < 48


def test_a_request_that_does_not_fit_costs_one_insert_more() -> None:
    """The engine has said that it cannot read something: who cannot be read is asked, and the rest is one INSERT."""
    table = Table()
    real = table.insert

    def insert(rows: Sequence[bytes]) -> None:
        if b"odd" in rows:
            table.inserts.append(list(rows))
            raise EngineError(395, "not read here")
        real(rows)

    commit = GroupCommit(insert, lambda rows: rows != b"odd")
    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(commit.store, b"first")]
        wait_until(lambda: table.inserts == [[b"first"]], "the first is being stored")
        for waiting, row in enumerate([b"a", b"odd", b"b", b"odd", b"c"], start=1):
            answers.append(threads.submit(commit.store, row))
            wait_until(lambda expected=waiting: len(commit.waiting) == expected, "it waits")
        table.go.set()
    assert table.inserts == [[b"first"], [b"a", b"odd", b"b", b"odd", b"c"], [b"a", b"b", b"c"]]
    assert [getattr(answer.exception(), "code", None) for answer in answers] == [None, None, 395, None, 395, None]
