"""A sentence that repeats an address repeats neither its user nor its password, however wrongly they are written."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tokentrail
from tokentrail.addresses import bare
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.dsn import parse_dsn
from tokentrail.doctor.collector import check_collector
from tokentrail.host_rules import HostRule
from tokentrail.journal.endpoint import endpoint_problem
from tokentrail.journal.exporter import Exporter, Result, exporter_for
from tokentrail.journal.headers import header_problem
from tokentrail.settings import Settings, check_url, from_environment

NAMES = ("someone", "s3cret")
CREDENTIALS = ["someone:s3cret", "someone:s3cret/more", "someone:s3cret#more", "someone:s3cret?more", "someone:s3cret@more", "someone:12/s3cret"]
REST = ["h/v1/logs", "h:x/v1/logs", "[h", "127.0.0.1:9/v1/logs", "h:4317", "h/a/b"]
ADDRESSES = [f"{scheme}{said}@{rest}" for scheme in ("http://", "ftp://", "") for said in CREDENTIALS for rest in REST]


def _raised(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:
        return str(error)
    return ""


def _told(address: str) -> list[str]:
    """Whatever is said of an address anywhere."""
    told: list[str] = []
    from_environment({"TOKENTRAIL_PROVIDER_HOSTS": f"{address}=x"}, told.append)
    return [
        *told,
        _raised(lambda: HostRule.parse(address, "x")),
        _raised(lambda: check_url(address)),
        _raised(lambda: tokentrail.configure(provider_hosts={address: "x"})),
        endpoint_problem(Settings(endpoint=address)) or "",
        endpoint_problem(Settings(endpoint=address, protocol="grpc")) or "",
    ]


@pytest.mark.parametrize("address", ADDRESSES)
def test_wherever_it_is_told(address: str) -> None:
    told = _told(address)
    assert any(told)
    assert not [sentence for sentence in told if any(name in sentence for name in NAMES)]


HEADERS = (
    {"authorization": "Bearer s3cret\n"},  # of a file
    {"authorization": "Bearer s3cret\r\nx-planted: yes"},
    {"authorization": "Bearer s3cret\x00"},
    {"authorization": "Bearer s3cret…"},
    {"authorization: Bearer s3cret": "="},  # `authorization: Bearer s3cret==`, which is to be `authorization=…`
    {"first": "1", "x-key s3cret": "2"},
)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("headers", HEADERS)
def test_a_header_that_cannot_be_sent(headers: dict[str, str], protocol: str) -> None:
    settings = Settings().with_(headers=headers, protocol=protocol, endpoint="http://127.0.0.1:9/v1/logs", timeout=1.0)
    exporter = exporter_for(settings)
    outcome = exporter.send(b"")
    exporter.close()
    assert outcome.result is Result.MISCONFIGURED
    for sentence in (outcome.reason, endpoint_problem(settings) or ""):
        assert "cannot be sent" in sentence
        assert "\n" not in sentence
        assert "s3cret" not in sentence


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_header_that_is_sent_is_in_no_log_of_a_library(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, caplog.at_level(logging.DEBUG):
        threading.Thread(target=_hang_up, args=(server,), daemon=True).start()
        settings = Settings().with_(
            headers={"x-key": "s3cret"}, protocol=protocol, endpoint=f"http://127.0.0.1:{server.getsockname()[1]}", timeout=5.0
        )
        exporter = exporter_for(settings)
        assert exporter.send(b"").result is Result.UNREACHABLE
        exporter.close()
    assert "s3cret" not in caplog.text
    assert "x-key" not in caplog.text
    assert "Encoded header block" not in caplog.text


def _hang_up(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1)


def test_headers_that_can_be_sent_are() -> None:
    for grpc in (False, True):
        assert header_problem({"Authorization": "Bearer abc==", "x-api-key": "", "X_y.z-1": " ~!"}, grpc=grpc) is None


@pytest.mark.parametrize("said", CREDENTIALS)
@pytest.mark.parametrize("rest", ["127.0.0.1:9/db", "127.0.0.1:x/db", "127.0.0.1:9/a/b", "[127.0.0.1/db"])
def test_the_ledgers_address(said: str, rest: str) -> None:
    sentence = _raised(lambda: connect(f"http://{said}@{rest}"))
    assert sentence
    assert not any(name in sentence for name in NAMES), sentence


def test_an_answer_that_did_not_come() -> None:
    settings = Settings(endpoint="http://someone:s3cret@127.0.0.1:9/v1/logs")
    exporter = Exporter(settings)
    reason = exporter.send(b"").reason
    exporter.close()
    assert reason.startswith("http://…@127.0.0.1:9/v1/logs: ")
    for sentence in (reason, *(finding.sentence for finding in check_collector(settings))):
        assert not any(name in sentence for name in NAMES), sentence


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://h:1/p", "http://h:1/p"),
        ("http://u:p@h:1/p", "http://…@h:1/p"),
        ("u:p@h", "…@h"),
        ("http://u:p/q@r@h", "http://…@h"),
        ("//u@h", "//…@h"),
        ("", ""),
    ],
)
def test_what_is_left(address: str, shown: str) -> None:
    assert bare(address) == shown


def test_a_value_shown_by_python_has_no_secret_in_it() -> None:
    address = "http://someone:s3cret@127.0.0.1:9/db"
    settings = Settings(endpoint=address, budget_dsn=address, headers={"authorization": "Bearer s3cret"}, content_hash_secret="s3cret")
    for shown in (repr(settings), str(settings), repr(parse_dsn(address))):
        assert "s3cret" not in shown
