"""SDKs of single providers, most of which answer in OpenAI's shape: client, method and arguments for a recording, and the counts a user would read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tests.support.planted import KEY
from tokentrail.testing import Recording

Counts = dict[str, int | None]
STAINLESS = {
    "cerebras": ("cerebras.cloud.sdk", "Cerebras"),
    "fireworks": ("fireworks", "Fireworks"),
    "together": ("together", "Together"),
    "writer": ("writerai", "Writer"),
}
"""By provider: the package, and the name of its client."""
PACKAGES = {**{provider: package for provider, (package, _) in STAINLESS.items()}, "azure_ai": "azure.ai.inference", "openrouter": "openrouter"}
BY_BODY = ("claude_agent", "huggingface", "replicate", "voyage", "xai_grpc")
"""Providers whose recordings are read from their bodies alone: their SDKs are asked elsewhere."""
OWN_RAW = ("azure_ai", "openrouter")
"""Providers whose SDKs have no raw responses."""
METHODS = {
    "/chat/completions": "chat.completions.create",
    "/completions": "completions.create",
    "/embeddings": "embeddings.create",
    "/messages": "messages.create",
    "/rerank": "rerank.create",
    "/chat": "chat.chat",
}
TEXTS = ("content", "input", "prompt", "query", "text")


def text_in(value: Any) -> str:
    """The first text that a request asks with."""
    if isinstance(value, dict):
        texts = (each if isinstance(each, str) and name in TEXTS else text_in(each) for name, each in value.items())
        return next(filter(None, texts), "")
    return next(filter(None, map(text_in, value)), "") if isinstance(value, list) else ""


def is_there(provider: str, endpoint: str = "") -> bool:
    """Whether the provider's own SDK is installed, and asks for an endpoint over HTTP; a provider that is not in this table has no need of one."""
    if provider in BY_BODY or endpoint == "live":
        return False
    package = PACKAGES.get(provider)
    try:
        return package is None or find_spec(package) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False


def asks_for(recording: Recording) -> bool:
    """Whether a provider's own SDK asks for a recording: Azure's does not know the paths that OpenAI's SDK asks at."""
    return recording.provider in PACKAGES and not (recording.provider == "azure_ai" and recording.path.startswith("/openai/"))


def client_for(recording: Recording, url: str, *, asynchronous: bool, **more: Any) -> Any:
    """The client for a recording."""
    if recording.provider == "azure_ai":
        kinds = {"/models/chat/completions": "ChatCompletionsClient", "/models/images/embeddings": "ImageEmbeddingsClient"}
        return azure_client(url, kinds.get(recording.path.partition("?")[0], "EmbeddingsClient"), asynchronous=asynchronous, **more)
    client = client_of(recording.provider, url, asynchronous=asynchronous, **more)
    if recording.provider == "openrouter":
        client.asked_for_async = asynchronous
    return client


def client_of(provider: str, url: str, *, asynchronous: bool = False, **more: Any) -> Any:
    """The client of the provider's SDK, pointed at `url`."""
    if provider == "openrouter":
        return import_module("openrouter").OpenRouter(api_key=KEY, server_url=url, timeout_ms=20_000, **more)
    package, kind = STAINLESS[provider]
    warm = {"warm_tcp_connection": False} if provider == "cerebras" else {}
    given = {"base_url": url, "api_key": KEY, "max_retries": 0, "timeout": 20, **warm, **more}
    return getattr(import_module(package), f"Async{kind}" if asynchronous else kind)(**given)


def azure_client(url: str, kind: str = "ChatCompletionsClient", *, asynchronous: bool = False, **more: Any) -> Any:
    """A client of Azure AI Inference, pointed at `url`."""
    package = "azure.ai.inference.aio" if asynchronous else "azure.ai.inference"
    credential = import_module("azure.core.credentials").AzureKeyCredential(KEY)
    return getattr(import_module(package), kind)(endpoint=url, credential=credential, **{"retry_total": 0, **more})


def ask_method(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The SDK's method for the recording's path, and its arguments: the recorded request, what the SDK does not know as `extra_body`."""
    path, request = recording.path.partition("?")[0], dict(recording.request or {})
    for prefix in ("/api", "/models", "/inference", "/openai", "/v1"):
        path = path.removeprefix(prefix)
    if recording.provider == "azure_ai":
        request = {name: value for name, value in request.items() if value is not None}
        return (client.complete if path == "/chat/completions" else client.embed), {"body": request}
    if recording.provider == "openrouter":
        return _of_openrouter(client, path, request, recording)
    owner = client
    for step in METHODS[path].split("."):
        owner = getattr(owner, step)
    if recording.stream:
        request["stream"] = True
    known = inspect.signature(owner).parameters
    extra = {name: value for name, value in request.items() if name not in known}
    given = {name: value for name, value in request.items() if name in known}
    return owner, given | ({"extra_body": extra} if extra else {})


def _of_openrouter(client: Any, path: str, request: Mapping[str, Any], recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The SDK has types for every part of a request, and not for every recorded one: the first of its texts is asked instead."""
    text = text_in(request) or "lorem"
    suffix = "_async" if client.asked_for_async else ""
    given: dict[str, Any] = {"model": request["model"]}
    if path == "/embeddings":
        return getattr(client.embeddings, f"generate{suffix}"), given | {"input": text}
    if path == "/rerank":
        return getattr(client.rerank, f"rerank{suffix}"), given | {"query": text, "documents": ["ipsum", "dolor"]}
    if path == "/responses":
        return getattr(client.beta.responses, f"send{suffix}"), given | {"input": text, "stream": recording.stream}
    return getattr(client.chat, f"send{suffix}"), given | {"messages": [{"role": "user", "content": text}], "stream": recording.stream}


def error_types() -> tuple[type[Exception], ...]:
    """What the SDKs that are installed raise for an answer that is an error."""
    found = [getattr(import_module(package), "APIError") for provider, (package, _) in STAINLESS.items() if is_there(provider)]  # noqa: B009
    if is_there("azure_ai"):
        found.append(import_module("azure.core.exceptions").HttpResponseError)
    if is_there("openrouter"):
        found.append(import_module("openrouter.errors").OpenRouterError)
    return tuple(found)


def stated_usage(item: Any) -> Mapping[str, Any] | None:
    """The usage of an SDK's object, as a dictionary."""
    given = item.as_dict() if hasattr(item, "as_dict") else item.model_dump(by_alias=True)
    return given.get("usage") or (given.get("response") or {}).get("usage")


def is_of_one(item: Any) -> bool:
    """Whether an object is one of these SDKs'."""
    return type(item).__module__.startswith(tuple(f"{package}." for package in PACKAGES.values()))


def naive_counts(items: list[Any]) -> Counts:
    """The counts of the last item that states any."""
    counts: Counts = {"input_tokens": None, "output_tokens": None, "cached_input_tokens": None, "reasoning_tokens": None}
    for usage in filter(None, map(stated_usage, items)):
        into = _first(usage, "prompt_tokens_details", "prompt_token_details", "input_tokens_details") or usage
        out = _first(usage, "completion_tokens_details", "completion_token_details", "output_tokens_details") or {}
        counts = {
            "input_tokens": _first(usage, "prompt_tokens", "input_tokens"),
            "output_tokens": _first(usage, "completion_tokens", "output_tokens"),
            "cached_input_tokens": _first(into, "cached_tokens", "cache_read_input_tokens"),
            "reasoning_tokens": out.get("reasoning_tokens"),
        }
    return counts


def _first(fields: Mapping[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
