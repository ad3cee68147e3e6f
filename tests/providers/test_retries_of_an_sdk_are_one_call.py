"""The SDK's own retries are one call, and its attempts are recorded: answered, failed, streamed, sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

import groq
import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
NO = (500, {"error": {"message": "again"}})


@pytest.mark.parametrize("make", [openai.OpenAI, groq.Groq])
def test_answered_at_the_third_attempt(make: Any, usages: Usages) -> None:
    with ScriptedServer(NO, NO, completion()) as server:
        make(base_url=server.url, api_key="none", max_retries=4).chat.completions.create(**ASK)
    assert [(u.attempts, u.ended, u.input_tokens) for u in usages.recorded] == [(3, "complete", 40)]


def test_a_stream_at_the_second_attempt(usages: Usages) -> None:
    with ScriptedServer(NO, sse(chunks("lorem", usage=True))) as server:
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert [(u.attempts, u.ended, u.input_tokens) for u in usages.recorded] == [(2, "complete", 40)]


def test_never_answered(usages: Usages) -> None:
    with ScriptedServer(NO) as server, pytest.raises(openai.InternalServerError):
        openai.OpenAI(base_url=server.url, api_key="none", max_retries=2).chat.completions.create(**ASK)
    assert [(u.attempts, u.ended, u.error_type) for u in usages.recorded] == [(3, "error", "500")]


async def test_async_and_many_at_once(usages: Usages) -> None:
    with ScriptedServer(NO, NO, NO, completion()) as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=5) as client:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(5)))
    assert len(usages.recorded) == 5
    assert sum(usage.attempts for usage in usages.recorded) == len(server.asked) == 8
