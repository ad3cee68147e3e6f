"""OpenAI's agents, over responses and over chat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled

from tests.frameworks.driver import wait


def cases(url: str) -> Iterator[tuple[str, Any]]:
    set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=1)
    for name, kind in (("chat", OpenAIChatCompletionsModel), ("responses", OpenAIResponsesModel)):
        agent = Agent(name="lorem", model=kind(model="m", openai_client=client))
        yield name, wait(lambda agent=agent: _ask(agent))
        yield f"{name} stream", wait(lambda agent=agent: _read(agent))
        yield f"retried inside {name}", wait(lambda agent=agent: _ask(agent))


async def _ask(agent: Any) -> Any:
    return (await Runner.run(agent, "hello")).final_output


async def _read(agent: Any) -> Any:
    running = Runner.run_streamed(agent, "hello")
    return [event.type async for event in running.stream_events()]
