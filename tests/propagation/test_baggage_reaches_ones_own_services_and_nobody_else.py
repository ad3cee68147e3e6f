"""Tenant and operation id travel to the hosts of `baggage_hosts` by every HTTP client, and to no other host: no provider, no redirect's target.

Real clients and real sockets: what is compared is what a server was sent.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
from openai import OpenAI
from opentelemetry import baggage as opentelemetry_baggage
from opentelemetry import context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

import tokentrail
from tests.support.loopback import LoopbackServer
from tests.support.scripted import ScriptedServer, completion
from tokentrail import track_tokens
from tokentrail.propagation.outgoing import is_own
from tokentrail.testing import Usages

OWN = "tokentrail.tenant_id=acme%2C%20inc,tokentrail.operation_id=op1"


class Seen(LoopbackServer):
    """Keeps the header `baggage` of each request; answers with a redirect if there is a place to go to."""

    def __init__(self, location: str = "") -> None:
        self.baggage: list[str | None] = []
        self.location = location

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        del body
        found = request.headers.get_all("baggage")
        self.baggage.append(None if found is None else "|".join(found))
        request.send_response(302 if self.location else 200)
        if self.location:
            request.send_header("location", self.location)
        request.send_header("content-length", "0")
        request.end_headers()


@pytest.fixture
def server() -> Iterator[Seen]:
    with Seen() as seen:
        yield seen


@pytest.fixture(autouse=True)
def instrumented(tokentrail_usages: Usages) -> Iterator[None]:
    del tokentrail_usages  # settings are restored after the test, and nothing is written
    tokentrail.instrument()
    yield
    tokentrail.configure(baggage_hosts=())
    tokentrail.instrument()  # a test has taken the hooks away, and a decorator's first use in this process has been


def own(*servers: LoopbackServer) -> None:
    tokentrail.configure(baggage_hosts=[f"127.0.0.1:{server.port}" for server in servers])


def by_httpx(url: str, headers: dict[str, str]) -> None:
    with httpx.Client(follow_redirects=True) as client:
        client.get(url, headers=headers)


def by_httpx_async(url: str, headers: dict[str, str]) -> None:
    async def get() -> None:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            await client.post(url, headers=headers, json={})

    asyncio.run(get())


def by_httpx2(url: str, headers: dict[str, str]) -> None:
    with httpx2.Client(follow_redirects=True) as client:
        client.get(url, headers=headers)


def by_requests(url: str, headers: dict[str, str]) -> None:
    requests.get(url, headers=headers, timeout=10)


def by_urllib3(url: str, headers: dict[str, str]) -> None:
    urllib3.PoolManager().request("GET", url, headers=headers)


def by_urllib3_with_headers_of_the_pool(url: str, headers: dict[str, str]) -> None:
    urllib3.PoolManager(headers=headers).request("GET", url)


def by_aiohttp(url: str, headers: dict[str, str]) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers):
            pass

    asyncio.run(get())


Client = Callable[[str, dict[str, str]], None]
CLIENTS = (by_httpx, by_httpx_async, by_httpx2, by_requests, by_urllib3, by_urllib3_with_headers_of_the_pool, by_aiohttp)
each_client = pytest.mark.parametrize("get", CLIENTS)


@each_client
def test_an_own_service_is_told(get: Client, server: Seen) -> None:
    own(server)
    given = {"x-own": "1"}
    with track_tokens(tenant_id="acme, inc", operation_id="op1", operation="query", metadata={"not": "told"}):
        get(server.url, given)
    get(server.url, {})
    assert server.baggage == [OWN, None]
    assert given == {"x-own": "1"}


@each_client
def test_members_of_others_stay(get: Client, server: Seen) -> None:
    own(server)
    with track_tokens(tenant_id="acme"):
        get(server.url, {"Baggage": "a=1;p=2, tokentrail.tenant_id=forged,b=x%20y"})
    assert server.baggage == ["a=1;p=2,b=x%20y,tokentrail.tenant_id=acme"]


@each_client
def test_another_host_is_told_nothing(get: Client, server: Seen) -> None:
    with Seen() as other:
        own(other)
        with track_tokens(tenant_id="acme"):
            get(server.url, {})
            get(server.url, {"baggage": "a=1,tokentrail.tenant_id=acme"})
    assert server.baggage == [None, "a=1"]


@each_client
def test_without_the_setting_no_header_is_touched(get: Client, server: Seen) -> None:
    with track_tokens(tenant_id="acme"):
        get(server.url, {"baggage": "a=1,tokentrail.tenant_id=by hand"})
    assert server.baggage == ["a=1,tokentrail.tenant_id=by hand"]


@each_client
def test_a_redirect_takes_nothing_along(get: Client, server: Seen) -> None:
    with Seen(server.url) as first:
        own(first)
        with track_tokens(tenant_id="acme"):
            get(first.url, {})
        assert first.baggage == ["tokentrail.tenant_id=acme"]
    assert server.baggage == [None]


@each_client
def test_a_provider_is_told_nothing_though_the_setting_names_its_host(get: Client, server: Seen) -> None:
    own(server)
    tokentrail.configure(provider_hosts={f"127.0.0.1:{server.port}": "vllm"})
    with track_tokens(tenant_id="acme"):
        get(server.url, {})
    assert server.baggage == [None]


def test_a_call_of_an_sdk_is_told_nothing_wherever_it_goes(tokentrail_usages: Usages) -> None:
    headers: list[Any] = []

    class Provider(ScriptedServer):
        def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
            headers.append(request.headers.get("baggage"))
            super().answer(request, body)

    with Provider(completion()) as provider, track_tokens(tenant_id="acme"):
        own(provider)
        client = OpenAI(base_url=f"{provider.url}/v1", api_key="none")
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        by_httpx(provider.url, {})
    assert headers == [None, "tokentrail.tenant_id=acme"]
    assert [usage.tenant_id for usage in tokentrail_usages] == ["acme"]


@each_client
def test_the_baggage_of_opentelemetry_travels_beside(get: Client, server: Seen) -> None:
    own(server)
    token = context.attach(opentelemetry_baggage.set_baggage("shop", "7"))
    try:
        carrier: dict[str, str] = {}
        W3CBaggagePropagator().inject(carrier)
        with track_tokens(tenant_id="acme"):
            get(server.url, carrier)
    finally:
        context.detach(token)
    assert server.baggage == ["shop=7,tokentrail.tenant_id=acme"]


def test_uninstrument_takes_the_hooks_away(server: Seen) -> None:
    own(server)
    tokentrail.uninstrument()
    with track_tokens(tenant_id="acme"):
        for get in CLIENTS:
            get(server.url, {})
    assert server.baggage == [None] * len(CLIENTS)


@pytest.mark.parametrize(
    ("given", "host", "port", "scheme", "expected"),
    [
        ("query.internal", "query.internal", None, "https", True),
        ("query.internal", "QUERY.internal.", 8443, "https", True),
        ("query.internal:443", "query.internal", None, "https", True),
        ("query.internal:80", "query.internal", None, "http", True),
        ("query.internal:443", "query.internal", 443, "https", True),
        ("query.internal:443", "query.internal", None, "http", False),
        ("query.internal:443", "query.internal", 8443, "https", False),
        ("query.internal", "query.internal.example", None, "https", False),
        ("*.internal", "a.query.internal", 9, "http", True),
        ("*.internal", "internal", 9, "http", False),
        ("[::1]:8001", "::1", 8001, "http", True),
        ("api.openai.com", "api.openai.com", None, "https", False),
        ("*.com", "api.groq.com", 443, "https", False),
        ("localhost", "localhost", 8001, "http", True),
        ("localhost", "localhost", 11434, "http", False),  # Ollama's
    ],
)
def test_which_hosts_are_ones_own(given: str, host: str, port: int | None, scheme: str, expected: bool) -> None:
    tokentrail.configure(baggage_hosts=[given])
    assert is_own(host, port, scheme) is expected


@pytest.mark.parametrize("wrong", ["*", "*.*", "host/path", "user:x@host", "host:0", "a b", ""])
def test_a_host_that_is_none_stops_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="baggage_hosts"):
        tokentrail.configure(baggage_hosts=[wrong])


def test_a_text_is_no_list() -> None:
    with pytest.raises(TypeError, match="a list of texts"):
        tokentrail.configure(baggage_hosts="query.internal")


@pytest.mark.parametrize(
    "first_use",
    [
        "with tokentrail.propagation.extracted({'tokentrail': TEXT}): get()",
        "pickle.loads(CARRIED)()",
        "asyncio.run(ASGIMiddleware(app, tenant_id='acme')({'type': 'http'}, None, None))",
        "with tokentrail.track_tokens(tenant_id='acme'): get()",
    ],
)
def test_the_first_use_in_a_process_is_enough(server: Seen, first_use: str, tmp_path: Path) -> None:
    program = f"""
import asyncio, pickle, sys, httpx, tokentrail, tokentrail.propagation
from tokentrail.propagation.carrier import arrived
from tokentrail.web import ASGIMiddleware
TEXT = '{{"tenant_id":"acme"}}'
class Sent:
    def __reduce__(self): return arrived, (get, TEXT)
def get(): httpx.get({server.url!r})
async def app(*_): get()
CARRIED = pickle.dumps(Sent())
{first_use}
"""
    environment = {"PATH": "", "HOME": str(tmp_path), "TOKENTRAIL_BAGGAGE_HOSTS": f"127.0.0.1:{server.port}", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert server.baggage == ["tokentrail.tenant_id=acme"]
