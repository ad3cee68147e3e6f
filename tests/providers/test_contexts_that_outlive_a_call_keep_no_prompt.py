"""A timer, a task or a thread that an SDK or its HTTP client starts during a call keeps the call's context, and with it no prompt."""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Any

import httpx
import openai

from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import ReplayServer, Usages
from tokentrail.testing.conformance.kept import keepers_of

MARK = ("zqx8", "kept-nowhere")
SECONDS = 20


def asked() -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "".join(MARK)}]}


def test_of_a_client(usages: Usages) -> None:
    contexts: list[Context] = []

    def ask() -> None:
        hooks: Any = {"request": [lambda _request: contexts.append(copy_context())]}
        with ReplayServer() as server, httpx.Client(event_hooks=hooks, timeout=SECONDS) as http:
            openai.OpenAI(base_url=server.url("openai"), api_key="none", http_client=http).chat.completions.create(**asked())

    uninstrument()
    ask()
    without = keepers_of(MARK)
    instrument()
    ask()
    assert (len(contexts), len(usages.recorded)) == (2, 1)
    assert not keepers_of(MARK) - without


async def test_of_an_asynchronous_client(usages: Usages) -> None:
    contexts: list[Context] = []

    async def keep(_request: httpx.Request) -> None:
        contexts.append(copy_context())

    async def ask() -> None:
        with ReplayServer() as server:
            async with httpx.AsyncClient(event_hooks={"request": [keep]}, timeout=SECONDS) as http:
                client = openai.AsyncOpenAI(base_url=server.url("openai"), api_key="none", http_client=http)
                await client.chat.completions.create(**asked())

    uninstrument()
    await ask()
    without = keepers_of(MARK)
    instrument()
    await ask()
    assert (len(contexts), len(usages.recorded)) == (2, 1)
    assert not keepers_of(MARK) - without
