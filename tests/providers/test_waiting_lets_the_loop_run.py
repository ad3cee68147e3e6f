"""A test that waits for usages searches for streams that nobody refers to, and the event loop closes such streams meanwhile, however long a search takes."""

from __future__ import annotations

import asyncio
import gc
import time

import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, sse
from tokentrail import track_token_usage
from tokentrail.testing import Usages


async def test_searches_leave_half_of_the_time_to_the_loop(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda *_: searches.append(1) or time.sleep(0.4))

    async def work() -> None:
        for _ in range(20):
            await asyncio.sleep(0.02)
        track_token_usage(token_type="llm", operation="chat", provider="openai", model="m", input_tokens=1)

    with ScriptedServer(sse(chunks("lorem ", "ipsum"), done=False)) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        open_stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)
        working = asyncio.create_task(work())
        await usages.wait_for_async(1, timeout=1.0)
        await working
        with pytest.raises(AssertionError, match="1 of 5 usages were recorded in 1 s"):
            await usages.wait_for_async(5, timeout=1.0)
        assert 2 <= len(searches) <= 8
        open_stream.close()
