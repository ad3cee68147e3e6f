"""The header `baggage` depends on the server that a request is for, not on the proxy in between; no request of an SDK has the header, call or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import aiohttp
import anthropic
import boto3  # type: ignore[import-untyped]
import cohere
import groq
import httpx
import httpx2
import ollama
import openai
import pytest
import requests
import urllib3
from google import genai
from mistralai.client import Mistral

import tokentrail
from tests.support.loopback import LoopbackServer
from tokentrail import track_tokens
from tokentrail.testing import Usages

MEMBER = "tokentrail.tenant_id=acme"


class Proxy(LoopbackServer):
    """Keeps the path (behind a proxy the whole address) and the header `baggage` of each request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        del body
        self.seen.append((request.path, request.headers.get("baggage")))
        request.send_response(200)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", "2")
        request.end_headers()
        request.wfile.write(b"{}")


@pytest.fixture
def proxy(tokentrail_usages: Usages) -> Iterator[Proxy]:
    del tokentrail_usages  # settings are restored after the test, and nothing is written
    tokentrail.instrument()
    with Proxy() as running:
        yield running
    tokentrail.configure(baggage_hosts=())


def by_requests(url: str, proxy: str) -> None:
    requests.get(url, proxies={"http": proxy}, timeout=10)


def by_urllib3(url: str, proxy: str) -> None:
    urllib3.ProxyManager(proxy).request("GET", url)


def by_httpx(url: str, proxy: str) -> None:
    with httpx.Client(proxy=proxy) as client:
        client.get(url)


def by_aiohttp(url: str, proxy: str) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url, proxy=proxy):
            pass

    asyncio.run(get())


@pytest.mark.parametrize("get", [by_requests, by_urllib3, by_httpx, by_aiohttp])
def test_the_server_counts_and_not_the_proxy(get: Callable[[str, str], None], proxy: Proxy) -> None:
    tokentrail.configure(baggage_hosts=["127.0.0.1", "query.internal:8001"])
    with track_tokens(tenant_id="acme"):
        get("http://stranger.example/x", proxy.url)
        get("http://api.openai.com/x", proxy.url)
        get("http://query.internal:8001/x?next=http://stranger.example/", proxy.url)
        get("http://query.internal/x", proxy.url)
    assert [baggage for _url, baggage in proxy.seen] == [None, None, MEMBER, None]


def by_google(url: str) -> Any:
    client = genai.Client(api_key="k", http_options={"base_url": url})
    return list(client.models.list())


def by_aws(url: str) -> Any:
    return boto3.client(
        "bedrock", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    ).list_foundation_models()


MESSAGES: Any = [{"role": "user", "content": "x"}]
BESIDE_CALLS: dict[str, Callable[[str], Any]] = {
    "openai": lambda url: openai.OpenAI(base_url=url, api_key="k").models.list(),
    "openai with an HTTP client": lambda url: openai.OpenAI(base_url=url, api_key="k", http_client=httpx2.Client()).files.list(),
    "anthropic": lambda url: anthropic.Anthropic(base_url=url, api_key="k").messages.count_tokens(model="m", messages=MESSAGES),
    "groq": lambda url: groq.Groq(base_url=url, api_key="k").models.list(),
    "ollama": lambda url: ollama.Client(host=url).ps(),
    "cohere": lambda url: cohere.Client(base_url=url, api_key="k").models.list(),
    "mistral": lambda url: Mistral(server_url=url, api_key="k").models.list(),
    "google": by_google,
    "aws": by_aws,
}


@pytest.mark.parametrize("ask", BESIDE_CALLS.values(), ids=list(BESIDE_CALLS))
def test_what_an_sdk_asks_beside_calls_says_nothing(ask: Callable[[str], Any], proxy: Proxy) -> None:
    tokentrail.configure(baggage_hosts=["127.0.0.1"])
    with track_tokens(tenant_id="acme"), suppress(Exception):  # the answer is empty, which some SDKs cannot read
        ask(proxy.url)
    assert proxy.seen
    assert {baggage for _path, baggage in proxy.seen} == {None}
