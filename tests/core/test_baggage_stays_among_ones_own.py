"""OpenTelemetry hands a caller's baggage on to every host that a service asks: tokentrail's members reach no provider, and a stranger's nobody."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from opentelemetry import context, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator

import tokentrail
from tests.core.conftest import Configure
from tests.support.scripted import ScriptedServer, completion
from tokentrail.web import ASGIMiddleware

STATED = "tokentrail.tenant_id=stranger,tokentrail.operation_id=run-7,theirs=kept"


class Listening(ScriptedServer):
    """Remembers the header `baggage` of each request."""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.baggage = [*getattr(self, "baggage", []), request.headers.get("baggage") or ""]
        super().answer(request, body)


@pytest.fixture
def asked_by_a_caller() -> Iterator[None]:
    """What OpenTelemetry's instrumentation of a web framework does with the headers of a request."""
    token = context.attach(W3CBaggagePropagator().extract({"baggage": STATED}))
    yield
    context.detach(token)


def send(url: str) -> None:
    """Ask as OpenTelemetry's instrumentation of httpx does."""
    with httpx.Client() as client:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        client.get(url, headers=headers)


class Injecting(httpx.BaseTransport):
    """The transport of such an instrumentation, below an SDK."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        request.headers.update(headers)
        return self._inner.handle_request(request)


@pytest.mark.parametrize("spans", [True, False])
def test_a_providers_sdk_sends_none(asked_by_a_caller: None, configure: Configure, spans: bool) -> None:
    configure(spans=spans)
    tokentrail.instrument()
    import groq

    with Listening(completion()) as server:
        url = f"http://127.0.0.1:{server.port}"
        groq.Groq(base_url=url, api_key="none", http_client=httpx.Client(transport=Injecting())).chat.completions.create(model="m", messages=[])
        assert server.baggage == ["theirs=kept"]


def test_ones_own_host_is_told_nothing_that_a_stranger_stated(asked_by_a_caller: None, configure: Configure) -> None:
    with Listening(completion()) as server:
        configure(baggage_hosts=[f"127.0.0.1:{server.port}"])
        tokentrail.instrument()
        send(f"http://127.0.0.1:{server.port}/")
        with tokentrail.track_tokens(tenant_id="acme"):
            send(f"http://127.0.0.1:{server.port}/")
        assert server.baggage == ["theirs=kept", "theirs=kept,tokentrail.tenant_id=acme"]


async def test_a_middleware_takes_them_out_of_opentelemetrys_baggage(asked_by_a_caller: None, configure: Configure) -> None:
    seen: list[str] = []

    async def app(_scope: object, _receive: object, _send: object) -> None:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        seen.append(headers["baggage"])

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"baggage", STATED.encode())]}
    await ASGIMiddleware(app, baggage=True)(scope, None, None)
    assert seen == ["theirs=kept"]
