"""A request holds one of the server's threads while its body arrives; one that does not go on arriving gives its thread back."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tokentrail.embedded import exchange
from tokentrail.embedded.exchange import Exchange, application


async def test_a_body_that_stops_is_answered_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "IDLE_SECONDS", 0.05)
    scope = {"method": "POST", "path": "/v1/logs", "server": ("127.0.0.1", 1), "query_string": b"", "headers": [(b"content-length", b"1000")]}
    pieces = [{"type": "http.request", "body": b"abc", "more_body": True}]
    sent: list[dict[str, Any]] = []
    read: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            return pieces.pop()
        await asyncio.Event().wait()
        raise AssertionError("waits for ever")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    def handle(asked: Exchange) -> None:
        read.extend(asked.chunks())

    with ThreadPoolExecutor(1) as executor:
        await asyncio.wait_for(application(lambda _port: handle, executor)(scope, receive, send), 10)
    assert read == [b"abc"]
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
