"""Small calls of a provider's SDK to a listener on this machine: `tokentrail doctor` checks that the calls reach the hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

__all__ = [
    "ANSWER",
    "probe_aiobotocore",
    "probe_azure",
    "probe_botocore",
    "probe_cohere",
    "probe_google",
    "probe_huggingface",
    "probe_litellm",
    "probe_mistral",
    "probe_ollama",
    "probe_openrouter",
    "probe_stainless",
    "probe_voyage",
    "probe_watsonx",
]

MESSAGES: Final = [{"role": "user", "content": "doctor"}]
ANSWER: Final[dict[str, Any]] = {
    "id": "doctor",
    "object": "chat.completion",
    "created": 0,
    "model": "doctor",
    "choices": [],
    "system_fingerprint": None,  # OpenRouter's SDK raises without the field
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "message": {"role": "assistant", "content": ""},
    "done": True,
}
"""A chat's answer in OpenAI's shape and in Ollama's."""

_HTTP: Final[dict[str, Any]] = {"trust_env": False, "verify": False}
"""Without the environment's proxies, which cannot reach this machine, and without certificates, whose loading takes longer than the HTTP call."""


def _ask_both(client: Any, ask: Callable[..., Any], ask_async: Callable[..., Any]) -> int:
    """Makes one sync and one async call with a client of both kinds. Returns the number of calls."""

    async def within() -> None:
        async with client:
            await ask_async(model="doctor", messages=MESSAGES)

    with client:
        ask(model="doctor", messages=MESSAGES)
    asyncio.run(within())
    return 2


def probe_stainless(package: str, kind: str, url: str, *, method: str = "chat.completions.create", **more: Any) -> int:
    """Makes one sync and one async call with an SDK that Stainless generates; `kind` is the client's class. Returns the number of calls."""
    create = attrgetter(method)
    sdk = import_module(package)
    given: dict[str, Any] = {"api_key": "none", "base_url": url, "max_retries": 0, "timeout": 10.0}
    http_client, async_http_client = sdk.DefaultHttpxClient(**_HTTP), sdk.DefaultAsyncHttpxClient(**_HTTP)

    async def ask() -> None:
        async with getattr(sdk, f"Async{kind}")(**given, http_client=async_http_client) as client:
            await create(client)(model="doctor", messages=MESSAGES, **more)

    with getattr(sdk, kind)(**given, http_client=http_client) as client:
        create(client)(model="doctor", messages=MESSAGES, **more)
    asyncio.run(ask())
    return 2


def probe_ollama(url: str) -> int:
    """Makes one sync and one async call with Ollama's SDK. Returns the number of calls."""
    sdk = import_module("ollama")
    sdk.Client(host=url, timeout=10.0, **_HTTP).chat(model="doctor", messages=MESSAGES)
    asyncio.run(sdk.AsyncClient(host=url, timeout=10.0, **_HTTP).chat(model="doctor", messages=MESSAGES))
    return 2


def probe_google(url: str) -> int:
    """Makes one sync and one async call with Google's SDK. Returns the number of calls."""
    genai = import_module("google.genai")
    given: dict[str, Any] = {"api_key": "none", "vertexai": False}
    options = {"base_url": url, "timeout": 10_000}
    try:
        client = genai.Client(**given, http_options=options | {"client_args": _HTTP, "async_client_args": _HTTP})
    except ValueError:  # older versions take no arguments of the HTTP client
        client = genai.Client(**given, http_options=options)
    client.models.generate_content(model="doctor", contents="doctor")
    asyncio.run(client.aio.models.generate_content(model="doctor", contents="doctor"))
    return 2


def probe_huggingface(url: str) -> int:
    """Makes one sync and one async call with Hugging Face's SDK. Returns the number of calls: none where a proxy is set, which the SDK uses."""
    if getproxies().get("http") and not proxy_bypass("127.0.0.1"):
        return 0
    sdk = import_module("huggingface_hub")
    given: dict[str, Any] = {"model": url, "token": "none", "timeout": 10.0}

    async def ask() -> None:
        async with sdk.AsyncInferenceClient(**given) as client:
            await client.chat_completion(messages=MESSAGES)

    sdk.InferenceClient(**given).chat_completion(messages=MESSAGES)
    asyncio.run(ask())
    return 2


def probe_voyage(url: str) -> int:
    """Makes one sync and one async call with Voyage's SDK. Returns the number of calls: none where a proxy is set, which the SDK uses."""
    if getproxies().get("http") and not proxy_bypass("127.0.0.1"):
        return 0
    sdk = import_module("voyageai.api_resources.api_requestor").APIRequestor("none", url)  # every way of every version
    given: dict[str, Any] = {"params": {"model": "doctor", "input": ["doctor"]}, "request_timeout": 10.0}
    sdk.request("post", "/embeddings", **given)
    asyncio.run(sdk.arequest("post", "/embeddings", **given))
    return 2


def probe_cohere(url: str) -> int:
    """Makes one sync and one async call with Cohere's SDK. Returns the number of calls."""
    sdk, http = import_module("cohere"), import_module("httpx")

    async def ask() -> None:
        async with http.AsyncClient(**_HTTP) as http_client:
            await sdk.AsyncClientV2("none", base_url=url, timeout=10.0, httpx_client=http_client).chat(model="doctor", messages=MESSAGES)

    with http.Client(**_HTTP) as http_client:
        sdk.ClientV2("none", base_url=url, timeout=10.0, httpx_client=http_client).chat(model="doctor", messages=MESSAGES)
    asyncio.run(ask())
    return 2


def probe_mistral(url: str) -> int:
    """Makes one sync and one async call with Mistral's SDK. Returns the number of calls."""
    try:
        sdk = import_module("mistralai.client.sdk")
    except ImportError:
        sdk = import_module("mistralai.sdk")  # version 1
    http = sdk.httpx  # or httpx2, under the same name
    client = sdk.Mistral(api_key="none", server_url=url, timeout_ms=10_000, client=http.Client(**_HTTP), async_client=http.AsyncClient(**_HTTP))
    return _ask_both(client, client.chat.complete, client.chat.complete_async)


_AWS: Final[dict[str, Any]] = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
_CONVERSE: Final[dict[str, Any]] = {"modelId": "doctor", "messages": [{"role": "user", "content": [{"text": "doctor"}]}]}


def probe_botocore(url: str) -> int:
    """Makes one call with botocore. Returns the number of calls."""
    config = import_module("botocore.config").Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=10)
    session = import_module("botocore.session").get_session()
    session.create_client("bedrock-runtime", endpoint_url=url, config=config, **_AWS).converse(**_CONVERSE)
    return 1


def probe_aiobotocore(url: str) -> int:
    """Makes one call with aiobotocore. Returns the number of calls."""
    config = import_module("aiobotocore.config").AioConfig(retries={"total_max_attempts": 1}, proxies={}, read_timeout=10)
    session = import_module("aiobotocore.session").get_session()

    async def ask() -> None:
        async with session.create_client("bedrock-runtime", endpoint_url=url, config=config, **_AWS) as client:
            await client.converse(**_CONVERSE)

    asyncio.run(ask())
    return 1


def probe_azure(url: str) -> int:
    """Makes one sync and one async call with Azure AI Inference's SDK. Returns the number of calls."""
    given: dict[str, Any] = {"endpoint": url, "credential": import_module("azure.core.credentials").AzureKeyCredential("none"), "retry_total": 0}

    async def ask() -> None:
        async with import_module("azure.ai.inference.aio").ChatCompletionsClient(**given) as client:
            await client.complete(model="doctor", messages=MESSAGES)

    with import_module("azure.ai.inference").ChatCompletionsClient(**given) as client:
        client.complete(model="doctor", messages=MESSAGES)
    asyncio.run(ask())
    return 2


def probe_openrouter(url: str) -> int:
    """Makes one sync and one async call with OpenRouter's SDK. Returns the number of calls."""
    sdk, http = import_module("openrouter"), import_module("httpx")
    client = sdk.OpenRouter(api_key="none", server_url=url, timeout_ms=10_000, client=http.Client(**_HTTP), async_client=http.AsyncClient(**_HTTP))
    return _ask_both(client, client.chat.send, client.chat.send_async)


def probe_litellm(url: str) -> int:
    """Makes one sync and one async call with litellm's HTTP handlers. Returns the number of calls."""
    handlers = import_module("litellm.llms.custom_httpx.http_handler")
    sent: dict[str, Any] = {"url": f"{url}/chat/completions", "json": {"model": "doctor", "messages": MESSAGES}, "timeout": 10.0}

    async def ask() -> None:
        handler = handlers.AsyncHTTPHandler(timeout=10.0)
        await handler.post(**sent)
        await handler.close()

    handlers.HTTPHandler(timeout=10.0).post(**sent)
    asyncio.run(ask())
    return 2


def probe_watsonx(url: str) -> int:
    """Makes one sync and one async call with IBM's SDK. Returns the number of calls: none where a proxy is set, which the SDK uses."""
    if getproxies().get("http") and not proxy_bypass("127.0.0.1"):
        return 0
    sdk = import_module("ibm_watsonx_ai")
    given = sdk.Credentials(url="https://us-south.ml.cloud.ibm.com", token="none", verify=False)  # noqa: S106 - spares a request for one
    client = sdk.APIClient(given)
    client._href_definitions.url = url  # noqa: SLF001 - the SDK takes https only
    model = import_module("ibm_watsonx_ai.foundation_models").ModelInference(model_id="doctor", api_client=client, validate=False, max_retries=0)

    async def ask() -> None:
        async with client.async_httpx_client:
            await model.achat(messages=MESSAGES)

    with client.httpx_client:
        model.chat(messages=MESSAGES)
    asyncio.run(ask())
    return 2
