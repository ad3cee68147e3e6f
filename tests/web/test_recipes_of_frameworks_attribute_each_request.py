"""Each recipe of a web framework counts every request for its own tenant: plain answers, streams, background tasks, requests side by side."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import tokentrail
from tests.support.recipes import FOLDER, recipe
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages

STREAM = sse(chunks("lorem ", "ipsum", usage=True))


class Provider(ScriptedServer):
    """Answers as it is asked: a stream, or a whole completion."""

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        self.answers = [STREAM if body.get("stream") else completion()]
        super()._answer(request, body)


@pytest.fixture
def provider() -> Iterator[Provider]:
    tokentrail.instrument()  # another test of this process may have taken the hooks away
    with Provider(completion()) as server:
        yield server


def rows(usages: Usages) -> list[tuple[str, str, str]]:
    return sorted((usage.tenant_id, usage.operation, usage.operation_id) for usage in usages)


def get(app: Any, *requests: tuple[str, dict[str, str]]) -> list[httpx.Response]:
    """The answers of an ASGI application to requests that run side by side."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await asyncio.gather(*(client.get(path, headers=headers) for path, headers in requests))

    return asyncio.run(ask())


def test_fastapi(provider: Provider, tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    with recipe("fastapi_app", provider, monkeypatch) as module:
        tenants = ["acme", "globex", "initech"]
        asked = [(f"/answer?question={tenant}", {"X-Tenant-ID": tenant, "X-Request-ID": f"r-{tenant}"}) for tenant in tenants]
        streamed = [("/chat?question=s", {"X-Tenant-ID": tenant}) for tenant in tenants]
        answers = get(module.app, *asked, *streamed, ("/answer?question=nobody", {}))
    assert [answer.status_code for answer in answers] == [200] * 7
    assert answers[3].text == "lorem ipsum"
    expected = [(tenant, operation, f"r-{tenant}") for tenant in tenants for operation in ("query", "internal")]
    expected += [(tenant, "chat", "") for tenant in tenants] + [("", "query", ""), ("", "internal", "")]
    assert rows(tokentrail_usages) == sorted(expected)
    assert {usage.input_tokens for usage in tokentrail_usages} == {40}


def test_fastapi_with_a_dependency(provider: Provider, tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    with recipe("fastapi_depends", provider, monkeypatch) as module:
        keys = [{"X-Api-Key": f"key-of-{tenant}"} for tenant in ("acme", "globex")] * 3
        answers = get(module.app, *(("/answer?question=why", key) for key in keys), ("/answer?question=why", {"X-Api-Key": "of nobody"}))
    assert [answer.status_code for answer in answers] == [200] * 6 + [401]
    assert [usage.tenant_id for usage in sorted(tokentrail_usages, key=lambda usage: usage.tenant_id)] == ["acme"] * 3 + ["globex"] * 3
    assert {usage.metadata for usage in tokentrail_usages} == {'{"user": "somebody"}'}


def token(secret: bytes, claims: dict[str, Any]) -> str:
    def part(value: bytes) -> str:
        return urlsafe_b64encode(value).decode().rstrip("=")

    signed = f"{part(b'{}')}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def test_starlette_with_a_verified_token(
    provider: Provider, tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with recipe("starlette_app", provider, monkeypatch) as module:
        good, forged = token(module.SECRET, {"org": "acme"}), token(b"another", {"org": "globex"})
        headers = [{"Authorization": f"Bearer {good}"}, {"authorization": f"bearer {forged}"}, {"Authorization": "Basic eDp5"}, {}]
        answers = get(module.app, *(("/answer?question=why", given) for given in headers))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [tenant for tenant, _operation, _id in rows(tokentrail_usages)] == ["", "", "", "acme"]
    assert forged not in caplog.text


def test_flask(provider: Provider, tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    with recipe("flask_app", provider, monkeypatch) as module:
        client = module.app.test_client()
        for tenant in ("acme", "globex"):
            assert client.get("/answer?question=why", headers={"X-Tenant-ID": tenant}).json == {"answer": "lorem ipsum"}
            assert client.get("/chat?question=why", headers={"x-tenant-id": tenant}).text == "lorem ipsum"
        assert client.get("/answer?question=why").status_code == 200
    expected = [(tenant, operation, "") for tenant in ("acme", "globex") for operation in ("query", "chat")]
    assert rows(tokentrail_usages) == sorted([*expected, ("", "query", "")])


def test_django(provider: Provider, tokentrail_usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "of a test")
    with recipe("django_app", provider, monkeypatch) as module:
        from django.test import Client  # type: ignore[import-untyped]

        client = Client(headers={})
        for tenant in ("acme", "globex"):
            signed_in = {"X-Signed-In-As": tenant}
            assert client.get("/answer?question=why", headers=signed_in).json() == {"answer": "lorem ipsum"}
            streamed = client.get("/chat?question=why", headers=signed_in)
            assert b"".join(streamed.streaming_content) == b"lorem ipsum"
        assert client.get("/answer?question=why").status_code == 200
        assert module.application is not None
    expected = [(tenant, operation, "") for tenant in ("acme", "globex") for operation in ("query", "chat")]
    assert rows(tokentrail_usages) == sorted([*expected, ("", "query", "")])


def test_every_recipe_is_listed_and_run() -> None:
    listed = (FOLDER / "README.md").read_text()
    recipes = [path.name for path in FOLDER.glob("*.py")]
    assert recipes
    assert [name for name in recipes if f"| `{name}` |" not in listed] == []
    tests = "".join(path.read_text() for path in FOLDER.parents[1].glob("tests/**/test_*.py"))
    assert [name for name in recipes if f'"{name[:-3]}"' not in tests and f'"{name}"' not in tests] == []


def test_a_middleware_imports_no_framework() -> None:
    program = "import tokentrail.web, sys; print([name for name in ('starlette', 'fastapi', 'flask', 'django', 'werkzeug') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
