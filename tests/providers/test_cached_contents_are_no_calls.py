"""Google's cached contents: their creation is billed for storage and is no call; an answer that uses one states its tokens as a part of the input."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai

from tests.support.scripted import ScriptedServer
from tokentrail.testing import Usages

pytestmark = pytest.mark.filterwarnings("ignore")

CACHED = {
    "name": "cachedContents/c1",
    "model": "models/gemini-2.5-flash",
    "createTime": "2026-05-13T19:57:40.000Z",
    "updateTime": "2026-05-13T19:57:40.000Z",
    "expireTime": "2026-05-13T20:57:40.000Z",
    "usageMetadata": {"totalTokenCount": 4096},
}
ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "lorem"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 4120,
        "cachedContentTokenCount": 4096,
        "candidatesTokenCount": 11,
        "totalTokenCount": 4131,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4120}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4096}],
    },
    "modelVersion": "gemini-2.5-flash",
}
CONFIG: dict[str, Any] = {"contents": "lorem ipsum", "ttl": "3600s"}


def client_of(server: ScriptedServer) -> genai.Client:
    return genai.Client(vertexai=False, api_key="none", http_options={"base_url": server.url})


async def test_a_cached_content_is_no_call(usages: Usages) -> None:
    with ScriptedServer(CACHED) as server:
        client = client_of(server)
        made = client.caches.create(model="gemini-2.5-flash", config=CONFIG)
        assert made.usage_metadata.total_token_count == 4096
        await client.aio.caches.create(model="gemini-2.5-flash", config=CONFIG)
        client.caches.get(name="cachedContents/c1")
        client.caches.update(name="cachedContents/c1", config={"ttl": "60s"})
        server.answers = [{"cachedContents": [CACHED]}]
        assert len(list(client.caches.list())) == 1
    assert not usages.recorded


async def test_the_cached_tokens_of_an_answer_are_a_part_of_its_input(usages: Usages) -> None:
    asked: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "hello", "config": {"cached_content": "cachedContents/c1"}}
    with ScriptedServer(ANSWER) as server:
        client = client_of(server)
        client.models.generate_content(**asked)
        await client.aio.models.generate_content(**asked)
    assert [(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) for usage in usages.recorded] == [(4120, 4096, 11)] * 2
    assert all(usage.cache_write_tokens is None for usage in usages.recorded)
