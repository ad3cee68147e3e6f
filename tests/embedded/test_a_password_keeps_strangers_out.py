"""Beyond loopback `tokentrail serve` listens only with a password, says what that means, and answers nobody who does not have it."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.embedded import Reply, ask
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import connect
from tokentrail.embedded import access
from tokentrail.embedded.access import Access, Gate, TooOften
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses

PASSWORD = "planted ünd long/@:%"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def by_header(user: str, password: str) -> dict[str, str]:
    return {"X-ClickHouse-User": user, "X-ClickHouse-Key": password.encode().decode("latin-1")}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """A server on loopback with a password, and a further name."""
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    settings = {"TOKENTRAIL_SERVE_PASSWORD_FILE": str(file), "TOKENTRAIL_SERVE_HOSTS": "ledger.internal"}
    with ServerProcess.started(tmp_path_factory.mktemp("guarded"), settings=settings) as process:
        yield process.addresses


def refusal(*arguments: str, **variables: str) -> str:
    command = [sys.executable, "-m", "tokentrail.embedded", "--http-port", "0", "--otlp-port", "0", *arguments]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert ended.stderr.strip().count("\n") == 0, ended.stderr
    return ended.stderr


def test_without_a_password_it_stays_on_this_machine(tmp_path: Path) -> None:
    assert "TOKENTRAIL_SERVE_PASSWORD" in refusal("--host", "0.0.0.0", "--data", str(tmp_path))
    short = refusal("--host", "0.0.0.0", "--data", str(tmp_path), TOKENTRAIL_SERVE_PASSWORD="short")
    assert "at least 8 printable characters" in short
    assert "short" not in short.replace("Error", "")
    assert "cannot be read" in refusal("--password-file", str(tmp_path / "nowhere"), "--data", str(tmp_path))
    (tmp_path / "empty").write_text("\n")
    assert "at least 8" in refusal("--password-file", str(tmp_path / "empty"), "--data", str(tmp_path))


def test_beyond_loopback_it_says_who_can_come(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ServerProcess.started(tmp_path / "data", host="0.0.0.0", log=log, settings={"TOKENTRAIL_SERVE_PASSWORD": PASSWORD}) as process:
        base = process.addresses.http
        wait_until(lambda: "Ctrl-C" in log.read_text(), "the announcement")
        said = log.read_text()
        assert said.count("Warning:") == 1
        assert "there is no TLS" in said
        assert PASSWORD not in said + str(process.addresses)
        assert ask(base, "POST", "/", "SELECT 1").status == 403
        assert ask(base, "POST", "/", "SELECT 1", basic("default", PASSWORD)).body == b"1\n"


@pytest.mark.parametrize("way", [basic, by_header])
def test_the_password_is_taken_as_clients_send_it(guarded: Addresses, way: Callable[[str, str], dict[str, str]]) -> None:
    assert ask(guarded.http, "POST", "/", "SELECT 1", way("default", PASSWORD)).body == b"1\n"
    for headers in (way("default", PASSWORD[:-1]), way("default", f"{PASSWORD}x"), way("other", PASSWORD), way("default", "")):
        assert_refused(ask(guarded.http, "POST", "/", "SELECT 1", headers))


def assert_refused(reply: Reply) -> None:
    """As ClickHouse refuses."""
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (403, "516")
    assert reply.text.startswith("Code: 516. DB::Exception: ")
    assert "(AUTHENTICATION_FAILED)" in reply.text
    assert PASSWORD[:-1] not in reply.text


def test_also_in_the_url(guarded: Addresses) -> None:
    assert ask(guarded.http, "POST", "/", "SELECT 1", user="default", password=PASSWORD).body == b"1\n"
    assert ask(guarded.http, "POST", "/", "SELECT 1", password=PASSWORD).body == b"1\n"
    assert_refused(ask(guarded.http, "POST", "/", "SELECT 1"))
    assert_refused(ask(guarded.http, "GET", "/", query="SELECT 1"))
    assert_refused(ask(guarded.http, "POST", "/", "SELECT 1", basic("default", PASSWORD), user="default"))
    assert_refused(ask(guarded.http, "POST", "/", "SELECT 1", {"Authorization": "Basic ***"}))
    assert_refused(ask(guarded.http, "POST", "/", "SELECT 1", {"Authorization": f"Negotiate {PASSWORD[:7]}"}))


def test_nothing_is_written_without_it(guarded: Addresses) -> None:
    ask(guarded.http, "POST", "/", "CREATE TABLE tokentrail.strangers (n Int8) ENGINE = Memory")
    assert ask(guarded.http, "POST", "/", "EXISTS tokentrail.strangers", password=PASSWORD).body == b"0\n"


def test_otlp_asks_too(guarded: Addresses) -> None:
    for headers in ({}, basic("default", "wrong wrong"), {"Authorization": "Bearer wrong wrong"}):
        reply = ask(guarded.otlp, "POST", "/v1/logs", b"", PROTOBUF | headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Basic")
    assert ask(guarded.otlp, "POST", "/v1/logs", b"", PROTOBUF | basic("default", PASSWORD)).status == 200
    bearer = {"Authorization": f"Bearer {PASSWORD}".encode().decode("latin-1")}
    assert ask(guarded.otlp, "POST", "/v1/logs", b"", PROTOBUF | bearer).status == 200


def test_the_dashboard_lets_a_browser_ask_for_it(guarded: Addresses) -> None:
    for path in ("/dashboard", "/dashboard/now", "/dashboard/verify"):
        reply = ask(guarded.http, "GET", path)
        assert (reply.status, reply.headers["www-authenticate"][:5]) == (401, "Basic")
    assert ask(guarded.http, "GET", "/dashboard", headers=basic("default", PASSWORD)).status == 200
    assert ask(guarded.http, "GET", "/ping").body == b"Ok.\n"  # as ClickHouse's: watchers have no password


def test_clients_come_in(guarded: Addresses) -> None:
    host, _, port = guarded.http.partition("//")[2].partition(":")
    client = clickhouse_connect.get_client(host=host, port=int(port), username="default", password=PASSWORD)
    assert client.command("SELECT 7") == 7
    client.close()
    with pytest.raises(DatabaseError, match="516"):
        clickhouse_connect.get_client(host=host, port=int(port), username="default", password="a wrong one")
    own = connect(guarded.dsn.replace("//", f"//default:{quote(PASSWORD, safe='')}@"))
    assert own.query("SELECT 8 AS n").dicts() == [{"n": 8}]
    own.close()


def test_names_of_the_server_are_listed(guarded: Addresses) -> None:
    right = basic("default", PASSWORD)
    assert ask(guarded.http, "POST", "/", "SELECT 1", right | {"Host": "ledger.internal:8123"}).status == 200
    assert ask(guarded.http, "POST", "/", "SELECT 1", right | {"Host": "rebound.example:8123"}).status == 403
    assert ask(guarded.http, "POST", "/", "SELECT 1", right | {"Origin": "http://192.0.2.7"}).status == 403


class Asked(SimpleNamespace):
    """A request, as far as the gate looks at it."""


def request(client: str = "192.0.2.1", *, headers: dict[str, str] | None = None, **query: Any) -> Asked:
    return Asked(client=client, headers=headers or {}, query=query)


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"host": "192.0.2.9:8123"}, True),
        ({"host": "[2001:db8::1]:8123"}, True),
        ({"host": "Ledger.Internal.:8123"}, True),
        ({"host": "evil.example"}, False),
        ({"host": "192.0.2.9:8123", "origin": "http://192.0.2.9:8123"}, True),
        ({"host": "192.0.2.9:8123", "origin": "http://192.0.2.8:8123"}, False),
        ({"host": "192.0.2.9:8123", "origin": "http://["}, False),
        ({"host": "192.0.2.9:8123", "origin": "null"}, False),
        ({"origin": "http://192.0.2.9"}, False),
    ],
)
def test_beyond_loopback_addresses_are_known_and_pages_of_others_are_not(headers: dict[str, str], known: bool) -> None:
    assert Gate(Access(password=PASSWORD, hosts=["ledger.internal"], beyond=True)).knows(request(headers=headers)) is known


def test_guesses_are_slow_and_mistakes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(access, "monotonic", lambda: now[0])
    gate = Gate(Access(password=PASSWORD))

    def tried(password: str, client: str = "192.0.2.1") -> str:
        try:
            gate.admit(request(client, password=password))
        except EngineError as error:
            return type(error).__name__
        return "in"

    assert {tried("the same wrong one") for _ in range(100)} == {"EngineError"}  # a service that is set up wrongly locks nobody out
    assert tried(PASSWORD) == "in"
    assert [tried(f"guess {number}") for number in range(20)] == ["EngineError"] * (access.MOST_WRONG - 1) + ["TooOften"] * 11
    assert tried(PASSWORD) == TooOften.__name__
    assert tried(PASSWORD, "192.0.2.2") == "in"
    now[0] += access.WINDOW_SECONDS
    assert tried(PASSWORD) == "in"
    for number in range(access.MOST_WRONG):
        tried(f"guess {number}", f"2001:db8::{number}")
    assert tried("one more", "2001:db8::ffff") == "TooOften"  # one machine may have the whole /64
    for number in range(access.MOST_ADDRESSES + 10):
        tried("guess", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(gate.wrong) == access.MOST_ADDRESSES


def test_too_many_guesses_are_told_so(tmp_path: Path) -> None:
    with ServerProcess.started(tmp_path / "data", settings={"TOKENTRAIL_SERVE_PASSWORD": PASSWORD}) as process:
        base, otlp = process.addresses.http, process.addresses.otlp
        said = [ask(base, "POST", "/", "SELECT 1", password=f"guess {number}") for number in range(access.MOST_WRONG + 1)]
        assert {reply.status for reply in said} == {403}
        assert "Too many wrong passwords" in said[-1].text
        assert ask(base, "GET", "/dashboard", headers=basic("default", PASSWORD)).status == 429
        assert ask(otlp, "POST", "/v1/logs", b"", PROTOBUF | basic("default", PASSWORD)).status == 429
