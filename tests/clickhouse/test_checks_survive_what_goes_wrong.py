"""Targets that hang, a ClickHouse that does not take the states, a clock that goes back, states of another version: who is told, and how often."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.alert_receivers import Web, active, web
from tests.support.ledger_rows import Land, usage
from tokentrail.alerts.check import Asked, Told, tell
from tokentrail.alerts.conditions import BY_NAME, Finding
from tokentrail.alerts.store import alerts
from tokentrail.alerts.targets import targets
from tokentrail.alerts.thresholds import parse
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.local.ports import free_port

pytest.importorskip("apprise", reason="tokentrail[notify] is not installed")

START = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
SECRET = "hunter2-TIiajkdnlazkcOXrIdevi7FQ"
Check = Callable[..., Told]


def finding(subject: str = "p / m", condition: str = "error_share") -> Finding:
    return Finding(condition, subject, 20.0, 10.0, 8.0, firing=True, detail="")


@pytest.fixture
def hook() -> Iterator[Web]:
    with web() as server:
        yield server


@pytest.fixture
def check(database: Client) -> Check:
    def run(minutes: float, found: list[Finding], *addresses: str, client: Any = database, hold: int = 0) -> Told:
        asked = Asked(found, [BY_NAME["error_share"], BY_NAME["quarantine"]])
        return tell(client, asked, parse(f"[error_share]\nhold = {hold}"), targets(addresses), now=START + timedelta(minutes=minutes))

    return run


@contextmanager
def dripping(accepted: list[socket.socket]) -> Iterator[str]:
    """A server whose answer never ends: a letter now and then, so that no timeout of a read is reached. `accepted`: its connections."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                connection.sendall(b"x")

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])
                threading.Thread(target=drip, args=(accepted[-1],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


@pytest.mark.parametrize(
    "address", ["json://user:{0}@{1}/", "alertmanager://user:{0}@{1}", "mailto://user:{0}@{1}?from=a@example.com&to=b@example.com"]
)
def test_a_target_that_hangs_holds_nobody_up(
    check: Check, hook: Web, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tokentrail.alerts.targets.SEND_S", 0.5)
    accepted: list[socket.socket] = []
    with dripping(accepted) as host, caplog.at_level("DEBUG"):
        to = (address.format(SECRET, host), f"json://{hook.host}/")
        told = check(0, [finding(), finding("bad count", "quarantine")], *to)
        assert len(accepted) == 1, "the second message waits no more for who has not taken the first"
        assert (len(told.failed), told.sent) == (2, 2)
        assert all(each.startswith("target 1 ") for each in told.failed)
        again = check(5, [finding(), finding("bad count", "quarantine")], *to)
        assert (len(again.failed), len(hook.requests)) == (2, 2), "who was told is not told again"
    logging.disable(logging.NOTSET)
    assert SECRET not in caplog.text + "".join(told.failed)


@contextmanager
def endless(sent: list[int]) -> Iterator[str]:
    """A server that says yes, and then goes on without an end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while sum(sent) < 64 << 20:
                    sent.append(connection.send(bytes(65536)))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(30)


def test_what_an_alertmanager_says_beside_its_yes_is_not_read(check: Check) -> None:
    sent: list[int] = []
    with endless(sent) as host:
        assert check(0, [finding()], f"alertmanager://{host}").sent == 1
    assert sum(sent) < 32 << 20


def test_of_several_targets_the_one_that_fails_alone_is_told_again(check: Check, hook: Web) -> None:
    port = free_port()
    away = (f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com", f"json://127.0.0.1:{port}/", f"jsons://{hook.host}/")
    for minute in (0, 5, 10):
        told = check(minute, [finding()], away[0], f"json://{hook.host}/", *away[1:])
        assert [each.partition(" has")[0] for each in told.failed] == ["target 1 (mailto)", "target 3 (json)", "target 4 (jsons)"]
    assert len(hook.requests) == 1


class Failing:
    """A ClickHouse that fails at one step, by a name of the client, the `nth` time."""

    def __init__(self, client: Client, step: str, nth: int) -> None:
        self._client, self._step, self._left = client, step, nth

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._client, name)
        if name != self._step:
            return own

        def run(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left <= 0:
                raise ClickHouseError("the disk is full", code=243)
            return own(*arguments, **more)

        return run


def released(database: Client) -> None:
    """The lease of a check that could not write its end is over."""
    database.command("INSERT INTO alert_checks (number, holder, until, ended) SELECT max(number), any(holder), now64(3), true FROM alert_checks")


def test_without_a_place_for_the_states_nobody_is_told(check: Check, hook: Web, database: Client) -> None:
    for step in ("command", "insert_json"):
        with pytest.raises(ClickHouseError):
            check(0, [finding()], f"json://{hook.host}/", client=Failing(database, step, 1))
        assert hook.requests == []
    released(database)
    assert check(5, [finding()], f"json://{hook.host}/").sent == 1


def test_a_state_that_is_not_stored_repeats_that_message_alone(check: Check, hook: Web, database: Client) -> None:
    found = [finding(), finding("bad count", "quarantine")]
    to = (f"json://{hook.host}/a", f"json://{hook.host}/b")
    with pytest.raises(ClickHouseError):
        check(0, found, *to, client=Failing(database, "insert_json", 3))  # the states, the first message, and not the second
    assert len(hook.requests) == 2
    released(database)
    check(5, found, *to)
    told = [(path, body["title"]) for path, _, body in hook.requests]
    assert len(told) == 5
    assert {each: told.count(each) for each in told} == {
        ("/a", "tokentrail: error share"): 1,
        ("/a", "tokentrail: quarantine"): 2,
        ("/b", "tokentrail: error share"): 1,
        ("/b", "tokentrail: quarantine"): 1,
    }


def test_a_clock_that_goes_back_delays_no_alert_and_no_end(check: Check, hook: Web) -> None:
    to = (f"json://{hook.host}/in", f"alertmanager://{hook.host}")
    check(600, [finding()], *to, hold=10)
    assert check(0, [finding()], *to, hold=10).sent == 0
    assert check(10, [finding()], *to, hold=10).sent == 2, "ten minutes by the clock of now"
    check(-600, [finding()], *to, hold=10)
    assert not check(-595, [], *to, hold=10).failed
    assert [body["type"] for path, _, body in hook.requests if path == "/in"] == ["failure", "success"]
    posts = [body for path, _, body in hook.requests if path != "/in"]
    assert active(posts) == set(), "and no end is before its start, which Alertmanager would refuse for ever"


def test_a_condition_that_flaps_within_its_margin_is_told_once(check: Check, hook: Web) -> None:
    for minute in range(0, 60, 5):
        value = 20.0 if minute % 10 == 0 else 9.0
        check(minute, [Finding("error_share", "p / m", value, 10.0, 8.0, firing=value > 10, detail="")], f"json://{hook.host}/")
    assert len(hook.requests) == 1


def test_states_of_another_version_stay_and_harm_nothing(check: Check, hook: Web, database: Client) -> None:
    row = {"subject": "s", "version": 7, "state": "firing", "since": "2026-11-01 00:00:00.000", "value": 1, "threshold": 0, "told": ["x"]}
    database.insert_json(
        "alerts", [row | {"condition": "a condition of a newer version"}, row | {"condition": "error_share", "state": "a newer state"}]
    )
    told = check(0, [finding()], f"json://{hook.host}/")
    assert (told.sent, told.failed) == (1, [])
    assert check(5, [], f"json://{hook.host}/").sent == 1
    assert [key for key, each in alerts(database).items() if each.state == "firing"] == [("a condition of a newer version", "s")]


def test_what_fires_is_shown_where_nobody_can_be_told(database: Client, dsn: str, land: Land, hook: Web) -> None:
    ts = int(datetime.now(timezone.utc).timestamp()) * 10**9 - 60 * 10**9
    land(*(usage(seq=number, ts=ts + number, content=str(number), more={"ended": "error", "error_type": "500"}) for number in range(1, 31)))
    database.command("DROP TABLE alert_checks SYNC")
    ran = CliRunner().invoke(cli, ["check", "error_share", "--notify", "--target", f"json://{hook.host}/{SECRET}", "--dsn", dsn])
    assert ran.exit_code == 2
    assert "✗ 1 firing" in ran.stdout
    assert ran.stderr.startswith("Error: ")
    assert "alert_checks" in ran.stderr
    assert SECRET not in ran.output
    assert hook.requests == []


def test_a_condition_that_cannot_be_answered_is_no_success(database: Client, dsn: str) -> None:
    database.command("DROP TABLE quarantine")
    said = CliRunner().invoke(cli, ["check", "quarantine", "silent_service", "--dsn", dsn])
    assert (said.exit_code, "✗ quarantine cannot be answered" in said.stderr) == (1, True)
    assert CliRunner().invoke(cli, ["check", "silent_service", "--dsn", dsn]).exit_code == 0


def test_an_end_that_reaches_nobody_is_no_success(check: Check, database: Client, dsn: str) -> None:
    with web() as server:
        address = f"json://{server.host}/"
        assert check(0, [finding()], address).sent == 1
    said = CliRunner().invoke(cli, ["check", "error_share", "--notify", "--target", address, "--dsn", dsn])
    assert (said.exit_code, "✗ target 1 (json)" in said.stderr, "0 messages sent" in said.stderr) == (1, True, True)
