"""LlamaIndex over OpenAI and Anthropic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai import OpenAI

from tests.frameworks.driver import wait

ASK = [ChatMessage(role="user", content="hello")]


def cases(url: str) -> Iterator[tuple[str, Any]]:
    models: dict[str, Any] = {
        "openai": OpenAI(model="gpt-4o-mini", api_base=f"{url}/v1", api_key="none", max_retries=0),
        "anthropic": Anthropic(model="claude-sonnet-4-0", base_url=url, api_key="none", max_retries=0),
    }
    for name, model in models.items():
        yield name, lambda model=model: str(model.chat(ASK))
        yield f"{name} stream", lambda model=model: [each.delta for each in model.stream_chat(ASK)]
        yield f"{name} async", wait(lambda model=model: _ask(model))
        yield f"{name} async stream", wait(lambda model=model: _read(model))
        yield f"abandoned {name}", lambda model=model: next(model.stream_chat(ASK)).delta
    patient = OpenAI(model="gpt-4o-mini", api_base=f"{url}/v1", api_key="none", max_retries=2)
    yield "retried", lambda: str(patient.chat(ASK))


async def _ask(model: Any) -> str:
    return str(await model.achat(ASK))


async def _read(model: Any) -> Any:
    return [each.delta async for each in await model.astream_chat(ASK)]
