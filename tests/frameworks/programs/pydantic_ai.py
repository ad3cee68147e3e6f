"""Pydantic AI's models of OpenAI (chat and responses), Anthropic, Google, Bedrock, Groq, Mistral and Cohere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.groq import GroqModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.groq import GroqProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.frameworks.driver import wait


def cases(url: str) -> Iterator[tuple[str, Any]]:
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    openai = OpenAIProvider(base_url=f"{url}/v1", api_key="none")
    models = {
        "openai": OpenAIChatModel("m", provider=openai),
        "openai responses": OpenAIResponsesModel("m", provider=openai),
        "anthropic": AnthropicModel("m", provider=AnthropicProvider(base_url=url, api_key="none")),
        "google": GoogleModel("m", provider=GoogleProvider(base_url=url, api_key="none")),
        "bedrock": BedrockConverseModel("m", provider=BedrockProvider(base_url=url, region_name="us-east-1")),
        "groq": GroqModel("m", provider=GroqProvider(base_url=url, api_key="none")),
    }
    for name, model in models.items():
        agent = Agent(model)
        yield f"{name}", wait(lambda agent=agent: _ask(agent))
        yield f"{name} stream", wait(lambda agent=agent: _read(agent))
    yield "retried inside", wait(lambda: _ask(Agent(models["openai"])))


async def _ask(agent: Any) -> Any:
    return (await agent.run("hello")).output


async def _read(agent: Any) -> Any:
    async with agent.run_stream("hello") as streamed:
        return [text async for text in streamed.stream_text(debounce_by=None)]
