"""Whatever a stranger sends to the four services, the answer is one of theirs: what can be done is done, the rest is refused before anybody is paid."""

from __future__ import annotations

import json
import signal
from typing import Any

import httpx

from examples.services.local.parts import Parts
from tests.support.waiting import wait_until

ACME = {"X-Tenant-ID": "acme"}
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "/query": ("query", {"question": "Why?"}),
    "/chat": ("query", {"question": "Why?"}),
    "/summarize": ("query", {"text": "A text."}),
    "/classify": ("query", {"text": "A text.", "labels": ["art", "smart art"]}),
    "/extract": ("query", {"text": "A text.", "fields": ["name"]}),
    "/embeddings": ("embedding", {"text": "A text."}),
    "/embeddings/batch": ("embedding", {"texts": ["A text."]}),
    "/internal/embed": ("embedding", {"texts": ["A text."]}),
    "/documents": ("ingestion", {"text": "A text."}),
    "/search": ("ingestion", {"vector": [0.5] * 64}),
    "/ask": ("agent", {"question": "Why?"}),
}


def post(parts: Parts, path: str, given: Any = None, headers: dict[Any, Any] | None = None, **more: Any) -> httpx.Response:
    service, usual = PATHS[path]
    body = more or {"json": usual if given is None else given}
    return httpx.post(f"{parts.url[service]}{path}", headers=ACME if headers is None else headers, timeout=120, **body)


def asked(parts: Parts) -> list[dict[str, Any]]:
    answered: list[dict[str, Any]] = httpx.get(f"{parts.url['providers']}/truth").json()["answered"]
    return answered


def test_odd_requests(parts: Parts) -> None:
    for path in PATHS:
        assert post(parts, path).is_success, path
    before = len(asked(parts))

    # bodies that are none: refused, and nobody is paid
    for path, (_service, usual) in PATHS.items():
        for body in (b"", b"{", b"[]", b"null", b'{"text": "\xff"}', b"[" * 100_000):
            answer = post(parts, path, content=body, headers=ACME | {"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), (path, body[:10], answer.text)
        blank = {
            name: " \n" if isinstance(value, str) else [" ", " "] for name, value in usual.items() if name in ("question", "text", "labels", "fields")
        }
        if blank and path not in ("/ask", "/embeddings"):
            assert post(parts, path, usual | blank).status_code == 422, path
    for path in ("/documents", "/search", "/ask"):
        assert post(parts, path, headers={}).status_code == 422, path
    assert post(parts, "/search", {"vector": [0.5] * 3}).status_code == 422
    assert post(parts, "/search", {"vector": [0.5] * 64, "limit": 0}).status_code == 422
    assert len(asked(parts)) == before

    # tenants of any characters and of any length, whole to the end of the stream
    for tenant in ("müller".encode(), b'a\xff,;=%"b', b"t" * 20_000):
        for path in PATHS:
            answer = post(parts, path, headers={b"X-Tenant-ID": tenant})
            assert answer.is_success, (path, tenant, answer.text)
        assert answer.text.rstrip().endswith("event: done\ndata: null"), answer.text
    told = asked(parts)
    assert {each["baggage"] for each in told} == {""}, "a provider was told a tenant"

    # documents of odd forms: one sentence without an end, one word, many parts
    for text in ("many words " * 500, "x" * 3_000, "é" * 1_000, " ".join(f"{number} {'word ' * 150}end." for number in range(600))):
        before = len(asked(parts))
        kept = post(parts, "/documents", {"text": text}).json()
        assert kept["embedded"], kept
        assert kept["tokens"] <= kept["parts"] * 200
        assert len(asked(parts)) == before + 1 + kept["parts"] // 501
        assert post(parts, "/documents", {"text": text}).json() == kept | {"embedded": False}
    assert kept["parts"] == 600

    # a service that is started again knows its documents
    parts.children["ingestion"].terminate()
    parts.children["ingestion"].start(timeout_s=60)
    before = len(asked(parts))
    assert post(parts, "/documents", {"text": text}).json() == kept | {"embedded": False}
    assert len(asked(parts)) == before

    # what a model says of the labels: the longest one that it names
    assert post(parts, "/classify", {"text": "x", "labels": ["art", "smart art"]}).json() == {"label": "smart art"}

    # the agent says so where a service is away
    parts.children["ingestion"].send_signal(signal.SIGKILL)
    wait_until(lambda: not parts.children["ingestion"].running, "the end of the service")
    assert [part.name for part in parts.ended()] == ["ingestion"]
    last = post(parts, "/ask").text.rstrip().splitlines()[-1]
    assert json.loads(last.removeprefix("data: ")) == "a service that is needed fails: ConnectError"
