"""Servers that state a usage in every chunk state all that was spent so far: the last one counts, and what only an earlier one has stated stays."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import tokentrail
from tests.support.mistral import ASK as MISTRAL
from tests.support.mistral import chunks as mistral_chunks
from tests.support.mistral import mistral_client
from tests.support.scripted import HEAD, ScriptedServer, chunks, sse
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
SO_FAR = (1, 4, None, 9, 11)
"""The output of each usage; None: a usage that states no output."""


def stated(place: int) -> dict[str, Any]:
    made = SO_FAR[min(place, len(SO_FAR) - 1)]
    usage: dict[str, Any] = {"prompt_tokens": 40, "completion_tokens": made, "total_tokens": 40 + (made or 0)}
    return usage | ({"prompt_tokens_details": {"cached_tokens": 32}} if place == 0 else {})


def chat() -> list[dict[str, Any]]:
    return [chunk | {"usage": stated(place)} for place, chunk in enumerate(chunks("lorem ", "ipsum ", "dolor"))]


def completion() -> list[dict[str, Any]]:
    texts = (("lorem ", None), ("ipsum ", None), ("dolor ", None), ("sit", None), ("", "stop"))
    choices = ([{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}] for text, reason in texts)
    return [HEAD | {"object": "text_completion", "choices": each, "usage": stated(place)} for place, each in enumerate(choices)]


def seen(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.ended, usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) for usage in usages.recorded]


@pytest.fixture
def client() -> Any:
    return lambda server: openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def test_a_chat(client: Any, usages: Usages) -> None:
    with ScriptedServer(sse(chat())) as server:
        assert len(list(client(server).chat.completions.create(**ASK, stream=True))) == len(chat())
        with client(server).chat.completions.with_streaming_response.create(**ASK, stream=True) as raw:
            assert raw.read()
    assert seen(usages) == [("complete", 40, 11, 32)] * 2


async def test_a_chat_async(usages: Usages) -> None:
    with ScriptedServer(sse(chat())) as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            assert len([chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]) == len(chat())
    assert seen(usages) == [("complete", 40, 11, 32)]


def test_a_chat_that_is_left(client: Any, usages: Usages) -> None:
    with ScriptedServer(sse(chat())) as server, client(server).chat.completions.create(**ASK, stream=True) as stream:
        for _ in range(2):
            next(stream)
    assert seen(usages) == [("partial", 40, 4, 32)]


def test_a_completion(client: Any, usages: Usages) -> None:
    with ScriptedServer(sse(completion())) as server:
        assert len(list(client(server).completions.create(model="m", prompt="hello", stream=True))) == len(completion())
        with client(server).completions.with_streaming_response.create(model="m", prompt="hello", stream=True) as raw:
            assert raw.read()
    assert seen(usages) == [("complete", 40, 11, 32)] * 2


def test_mistral(usages: Usages) -> None:
    sent = mistral_chunks("lorem ", "ipsum ", "dolor")
    events = [chunk | {"usage": stated(place)} for place, chunk in enumerate(sent)]
    events[-1] |= {"usage": stated(len(SO_FAR))}
    with ScriptedServer(sse(events)) as server, mistral_client(server.url) as client, client.chat.stream(**MISTRAL) as stream:
        assert len(list(stream)) == len(sent)
    assert seen(usages) == [("complete", 40, 11, 32)]


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
@pytest.mark.parametrize("provider", ["openai", "groq", "deepseek"])
def test_at_hand(provider: str, endpoint: str, usages: Usages) -> None:
    tokentrail.track_response(provider, endpoint, chat() if endpoint == "chat" else completion())
    assert seen(usages) == [("complete", 40, 11, 32)]
