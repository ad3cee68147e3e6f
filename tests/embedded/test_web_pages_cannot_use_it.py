from __future__ import annotations

import pytest

from tests.support.embedded import ask
from tokentrail.embedded.server import Addresses


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example:8123"},
        {"Origin": "http://localhost.evil.example"},
        {"Host": "["},
    ],
)
def test_foreign_origins_and_hosts_are_refused(server: Addresses, headers: dict[str, str]) -> None:
    assert ask(server.http, "POST", "/", "SELECT 1", headers).status == 403
    assert ask(server.otlp, "POST", "/v1/logs", b"", {"Content-Type": "application/x-protobuf"} | headers).status == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost:3000"}, {"Host": "localhost"}, {"Host": "[::1]:8123"}, {"Host": "host.docker.internal:8123"}]
)
def test_programs_on_this_machine_are_answered(server: Addresses, headers: dict[str, str]) -> None:
    assert ask(server.http, "POST", "/", "SELECT 1", headers).body == b"1\n"
