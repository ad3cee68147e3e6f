"""litellm: through its own HTTP handlers and through the openai SDK, every function, its Router's repetitions and fallbacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litellm
from litellm import Router

from tests.frameworks.driver import wait

litellm.suppress_debug_info = True
ASK = [{"role": "user", "content": "hello"}]
AWS = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "aws_region_name": "us-east-1"}


def cases(url: str) -> Iterator[tuple[str, Any]]:
    given: dict[str, Any] = {"messages": ASK, "api_key": "none", "max_retries": 0}
    models: dict[str, dict[str, Any]] = {
        "openai": {"model": "openai/m", "api_base": f"{url}/v1", "stream_options": {"include_usage": True}},
        "groq": {"model": "groq/m", "api_base": f"{url}/v1", "stream_options": {"include_usage": True}},
        "mistral": {"model": "mistral/m", "api_base": f"{url}/v1"},
        "hosted_vllm": {"model": "hosted_vllm/m", "api_base": f"{url}/v1", "stream_options": {"include_usage": True}},
        "anthropic": {"model": "anthropic/m", "api_base": url},
        "gemini": {"model": "gemini/m", "api_base": f"{url}/v1beta/models/m"},
        "bedrock": {"model": "bedrock/converse/m", "aws_bedrock_runtime_endpoint": url, **AWS},
        "ollama": {"model": "ollama_chat/m", "api_base": url},
    }
    for name, model in models.items():
        asked = {**given, **model}
        whole = {key: value for key, value in asked.items() if key != "stream_options"}
        yield name, lambda asked=whole: litellm.completion(**asked).choices[0].message.content
        yield f"{name} stream", lambda asked=asked: [_text_of(chunk) for chunk in litellm.completion(**asked, stream=True)]
        yield f"{name} async", wait(lambda asked=whole: _ask(asked))
        yield f"{name} async stream", wait(lambda asked=asked: _read(asked))
        yield f"abandoned {name}", lambda asked=asked: _text_of(next(iter(litellm.completion(**asked, stream=True))))
        above = "inside" if name == "openai" else "above"  # litellm passes the number on to the SDK
        yield f"retried {above} {name}", lambda asked=whole: litellm.completion(**asked, num_retries=1).choices[0].message.content
    cohere = {**given, "model": "cohere_chat/m", "api_base": f"{url}/v2/chat"}
    yield "cohere", lambda: litellm.completion(**cohere).choices[0].message.content
    base: dict[str, Any] = {"api_base": f"{url}/v1", "api_key": "none", "max_retries": 0}
    yield "responses", lambda: litellm.responses(model="openai/m", input="hello", **base).output[0].content[0].text
    yield "responses stream", lambda: [str(event.type) for event in litellm.responses(model="openai/m", input="hello", stream=True, **base)]
    yield "async responses", wait(lambda: _respond(base))
    yield "embeddings", lambda: litellm.embedding(model="openai/m", input=["hello"], **base).data[0]["embedding"]
    yield "embeddings of mistral", lambda: litellm.embedding(model="mistral/m", input=["hello"], **base).data[0]["embedding"]
    yield "async embeddings", wait(lambda: _embed(base))
    router = Router(
        model_list=[
            {
                "model_name": name,
                "litellm_params": {key: value for key, value in models[name].items() if key != "stream_options"} | {"api_key": "none"},
            }
            for name in ("openai", "anthropic", "mistral")
        ],
        fallbacks=[{"openai": ["anthropic"]}],
        num_retries=0,
        retry_after=0,
    )
    yield "router", lambda: router.completion("anthropic", ASK).choices[0].message.content
    yield "retried above by the router", lambda: router.completion("mistral", ASK, num_retries=1).choices[0].message.content
    yield "retried above by the router's fallback", lambda: router.completion("openai", ASK, max_retries=0).choices[0].message.content
    yield "async router", wait(lambda: _route(router))


def _text_of(chunk: Any) -> Any:
    return [choice.delta.content for choice in chunk.choices]


async def _ask(asked: Any) -> Any:
    return (await litellm.acompletion(**asked)).choices[0].message.content


async def _read(asked: Any) -> Any:
    return [_text_of(chunk) async for chunk in await litellm.acompletion(**asked, stream=True)]


async def _respond(base: Any) -> Any:
    return (await litellm.aresponses(model="openai/m", input="hello", **base)).output[0].content[0].text


async def _embed(base: Any) -> Any:
    return (await litellm.aembedding(model="openai/m", input=["hello"], **base)).data[0]["embedding"]


async def _route(router: Any) -> Any:
    return (await router.acompletion("anthropic", ASK)).choices[0].message.content
