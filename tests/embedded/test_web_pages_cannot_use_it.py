"""Web pages in a browser on this machine cannot use `tokentrail serve`: not by scripts, and not by images, frames and links, which have no Origin."""

from __future__ import annotations

from pathlib import Path

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


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"}
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {},  # a browser that does not say it, or not to another machine without TLS
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_an_image_of_a_foreign_page_is_no_statement(server: Addresses, tmp_path: Path, headers: dict[str, str]) -> None:
    """Such requests have no Origin; what they read a statement can send away itself, by the function url()."""
    (tmp_path / "secret").write_text("PLANTED")
    reply = ask(server.http, "GET", "/", headers=BROWSER | headers, query=f"SELECT file('{tmp_path / 'secret'}')")
    assert (reply.status, "PLANTED" in reply.text) == (403, False)
    assert ask(server.http, "POST", "/", "SELECT 1", BROWSER | headers).status == 403
    assert ask(server.otlp, "POST", "/v1/logs", b"", {"Content-Type": "application/x-protobuf"} | BROWSER | headers).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_a_person_types_is_answered(server: Addresses, site: str) -> None:
    assert ask(server.http, "GET", "/", headers=BROWSER | {"Sec-Fetch-Site": site}, query="SELECT 1").body == b"1\n"
    assert ask(server.http, "GET", "/dashboard", headers=BROWSER).status == 200
