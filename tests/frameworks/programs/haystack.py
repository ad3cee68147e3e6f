"""Haystack's generator over OpenAI, and its embedder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

from tests.frameworks.driver import wait

ASK = [ChatMessage.from_user("hello")]


def cases(url: str) -> Iterator[tuple[str, Any]]:
    given: dict[str, Any] = {"api_base_url": f"{url}/v1", "api_key": Secret.from_token("none"), "max_retries": 0}
    plain = OpenAIChatGenerator(model="m", **given)
    heard: list[str] = []
    streaming = OpenAIChatGenerator(model="m", streaming_callback=lambda chunk: heard.append(chunk.content), **given)
    vectors = OpenAITextEmbedder(model="m", **given)
    yield "chat", lambda: plain.run(ASK)["replies"][0].text
    yield "async", wait(lambda: _ask(plain))
    yield "stream", lambda: streaming.run(ASK)["replies"][0].text
    yield "embeddings", lambda: vectors.run("hello")["embedding"]


async def _ask(generator: Any) -> Any:
    return (await generator.run_async(ASK))["replies"][0].text
