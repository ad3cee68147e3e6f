"""`/dashboard` is for people on this machine: it reads, it says why it cannot, and no other page gets anything of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.embedded import ask
from tests.support.ledger_rows import usage
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses

PATHS = ("/dashboard", "/dashboard/now", "/dashboard/parts", "/dashboard/verify")


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_ledger_has_a_page(server: Addresses, path: str) -> None:
    reply = ask(server.http, "GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=UTF-8")
    assert ask(server.http, "HEAD", path).body == b""


@pytest.mark.parametrize("path", PATHS)
def test_its_policy_allows_one_style_and_one_script(server: Addresses, path: str) -> None:
    headers = ask(server.http, "GET", path).headers
    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[^ ']+'", rules["script-src"])
    assert re.fullmatch(r"'sha256-[^ ']+'", rules["style-src"])
    assert "unsafe" not in headers["content-security-policy"]
    assert rules["frame-ancestors"] == "'none'"
    safe = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert {name: headers[name] for name in safe} == safe


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Host": "evil.example:8123"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_other_pages_get_nothing(server: Addresses, path: str, headers: dict[str, str]) -> None:
    reply = ask(server.http, "GET", path, None, headers)
    assert reply.status == 403
    assert b"<" not in reply.body


def test_a_link_of_another_page_opens_it(server: Addresses) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(server.http, "GET", "/dashboard", None, headers).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_sent_to_it(server: Addresses, method: str) -> None:
    reply = ask(server.http, method, "/dashboard", b"SELECT 1")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"from": "gestern"}, "'gestern' is not a time"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from is not before to"),
        ({"timezone": "Nowhere/At_All"}, "is no time zone"),
        ({"tenants": "acme"}, "a name stands behind an ="),
    ],
)
def test_what_does_not_fit_is_one_sentence(server: Addresses, query: dict[str, str], sentence: str) -> None:
    page = ask(server.http, "GET", "/dashboard", **query)
    assert page.status == 400
    assert sentence in page.text.replace("&#39;", "'")
    assert "<form" in page.text
    part = ask(server.http, "GET", "/dashboard/now", **query)
    assert (part.status, len(part.text.splitlines())) == (400, 1)
    assert sentence in part.text


def test_other_paths_are_no_pages(server: Addresses) -> None:
    for path in ("/dashboard/x", "/dashboards", "/dashboard/../x", "/dashboard/now/x"):
        assert ask(server.http, "GET", path).status == 404


def test_questions_of_the_dashboard_do_not_hold_up_inserts(start: Callable[..., ServerProcess]) -> None:
    addresses = start().addresses
    client = connect(addresses.dsn)
    for number in range(5):
        client.insert_json("usage_landing", [usage(seq=number + 1, tenant=f"t{number}")])
        assert f"t{number}" in ask(addresses.http, "GET", "/dashboard/now", **{"from": "2026-11-01"}).text
    client.close()


@pytest.mark.parametrize("module", ["jinja2", "pygal"])
def test_without_the_extra_all_else_is_served(tmp_path: Path, module: str) -> None:
    program = f"""
import sys, urllib.error, urllib.request
sys.modules[{module!r}] = None
from tokentrail.embedded.server import Server
with Server({str(tmp_path / "data")!r}, http_port=0, otlp_port=0) as server:
    print(urllib.request.urlopen(server.addresses.http + "/?query=SELECT+1").read())
    try:
        urllib.request.urlopen(server.addresses.http + "/dashboard")
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("b'1")
    assert f"501 The dashboard needs {module}, which is not installed: pip install" in ran.stdout
