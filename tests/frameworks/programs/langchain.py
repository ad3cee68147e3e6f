"""LangChain's models of OpenAI (chat and responses), Anthropic, Google and AWS, and its embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_core.runnables import RunnableLambda
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.frameworks.driver import wait

AWS = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}


def cases(url: str) -> Iterator[tuple[str, Any]]:
    given: dict[str, Any] = {"model": "m", "api_key": "none", "base_url": f"{url}/v1"}
    models: dict[str, Any] = {
        "openai": ChatOpenAI(**given, max_retries=0, stream_usage=True),
        "openai responses": ChatOpenAI(**given, max_retries=0, use_responses_api=True),
        "anthropic": ChatAnthropic(model="m", api_key="none", base_url=url, max_retries=0),
        "google": ChatGoogleGenerativeAI(model="m", api_key="none", base_url=url, max_retries=1),
        "bedrock": ChatBedrockConverse(model="m", provider="amazon", endpoint_url=url, **AWS),
    }
    for name, model in models.items():
        yield f"{name}", lambda model=model: model.invoke("hello").content
        yield f"{name} stream", lambda model=model: [chunk.content for chunk in model.stream("hello")]
        yield f"{name} batch", lambda model=model: [each.content for each in model.batch(["hello", "there"])]
        yield f"{name} async", wait(lambda model=model: _ask(model))
        yield f"{name} async stream", wait(lambda model=model: _read(model))
        yield f"abandoned {name}", lambda model=model: next(model.stream("hello")).content
    inside = ChatOpenAI(**given, max_retries=2)
    yield "retried inside", lambda: inside.invoke("hello").content
    above = models["openai"].with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    yield "retried above", lambda: above.invoke("hello").content
    fallen = RunnableLambda(lambda _: models["openai"].invoke("hello")).with_fallbacks([models["anthropic"]])
    yield "retried above by a fallback", lambda: fallen.invoke("hello").content
    vectors = OpenAIEmbeddings(**given, check_embedding_ctx_length=False)
    yield "embeddings", lambda: vectors.embed_query("hello")


async def _ask(model: Any) -> Any:
    return (await model.ainvoke("hello")).content


async def _read(model: Any) -> Any:
    return [chunk.content async for chunk in model.astream("hello")]
