"""Asks for a recording with the provider's real SDK, and reads the counts as naively as its user would."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import anthropic
import cohere
import groq
import ollama
import openai
from cohere.core.api_error import ApiError as CohereError
from google import genai
from google.genai import errors as genai_errors
from google.oauth2.credentials import Credentials

from tests.support import bedrock, media, provider_sdks
from tests.support.mistral import ERRORS as MISTRAL_ERRORS
from tests.support.mistral import arguments_for, method_for, mistral_client
from tests.support.planted import KEY
from tokentrail.testing import Recording, ReplayServer

Counts = dict[str, int | None]
GOOGLE = ("google_genai", "vertex")
OWN_RAW = (*GOOGLE, "bedrock", "cohere", "mistral", *provider_sdks.OWN_RAW)
"""Providers whose SDKs have no raw responses, or raw responses of another kind than Stainless's."""


def client_of(recording: Recording, url: str, *, asynchronous: bool = False) -> Any:
    """The provider's own SDK, pointed at `url` (OpenAI-shaped paths of Ollama and Anthropic: the openai SDK)."""
    if provider_sdks.asks_for(recording):
        return provider_sdks.client_for(recording, url, asynchronous=asynchronous)
    if recording.provider in GOOGLE:
        client = google_client(url, vertex=recording.provider == "vertex")
        return client.aio if asynchronous else client
    if recording.provider == "cohere":
        return cohere_client(recording, url, asynchronous=asynchronous)
    if recording.endpoint == "messages":
        return (anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic)(base_url=url, api_key=KEY, max_retries=0, timeout=20)
    if recording.provider == "mistral":
        return mistral_client(url, asynchronous=asynchronous)
    if recording.provider == "groq":
        return (groq.AsyncGroq if asynchronous else groq.Groq)(base_url=url, api_key=KEY, max_retries=0, timeout=20)
    if recording.provider == "ollama" and recording.path.startswith("/api/"):
        return (ollama.AsyncClient if asynchronous else ollama.Client)(host=url, timeout=20)
    base = url if recording.provider == "openai" else f"{url}/v1"
    return (openai.AsyncOpenAI if asynchronous else openai.OpenAI)(base_url=base, api_key=KEY, max_retries=0, timeout=20)


def cohere_client(recording: Recording, url: str, *, asynchronous: bool) -> Any:
    """Cohere's SDK, for the version of the API that is in the path."""
    kinds = (cohere.ClientV2, cohere.AsyncClientV2) if recording.path.startswith("/v2/") else (cohere.Client, cohere.AsyncClient)
    return kinds[asynchronous](KEY, base_url=url, timeout=20, log_warning_experimental_features=False)


def cohere_method_of(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The method of Cohere's SDK: a stream has a method of its own, and tokens may be counted without a server."""
    given, name = dict(recording.request or {}), recording.path.rpartition("/")[2] + ("_stream" if recording.stream else "")
    given.pop("stream", None)
    given |= {"tokenize": {"offline": False}, "embed": {"embedding_types": given.get("embedding_types") or ["float"]}}.get(name, {})
    known = inspect.signature(getattr(type(client), name)).parameters
    extra = {key: given.pop(key) for key in set(given) - set(known)}
    return getattr(client, name), given | {"request_options": {"max_retries": 0, "additional_body_parameters": extra}}


def google_client(url: str, *, vertex: bool) -> genai.Client:
    """Google's SDK, for the Gemini API or for Vertex."""
    options = {"base_url": url, "timeout": 20_000}
    if vertex:
        return genai.Client(vertexai=True, credentials=Credentials(token=KEY), project="lorem", location="ipsum", http_options=options)
    return genai.Client(vertexai=False, api_key=KEY, http_options=options)


def google_method_of(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The method of Google's SDK, and a short text: the SDK has types for contents and settings, and not for every recorded one."""
    model = recording.path.partition("?")[0].rpartition(":")[0].rpartition("/")[2]
    if recording.endpoint == "interactions":
        request = dict(recording.request or {})
        return client.interactions.create, {"model": request["model"], "input": request["input"], "stream": recording.stream}
    methods = {"embeddings": client.models.embed_content, "generate_content": client.models.generate_content}
    method = client.models.generate_content_stream if recording.stream else methods[recording.endpoint]
    return method, {"model": model, "contents": "lorem"}


def method_of(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The SDK's method for the recording's path, and its arguments: the recorded request, what the SDK does not know as `extra_body`."""
    if provider_sdks.asks_for(recording):
        return provider_sdks.ask_method(client, recording)
    if recording.provider in GOOGLE:
        return google_method_of(client, recording)
    if recording.provider == "cohere":
        return cohere_method_of(client, recording)
    if recording.provider == "mistral":
        method = method_for(client, recording.path, stream=recording.stream)
        return method, arguments_for(method, recording.path, recording.request or {})
    return _method_by_path(client, recording)


def _method_by_path(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    path, request = recording.path.partition("?")[0], dict(recording.request or {})
    if "/threads/" in path or path.startswith(("/v1/images/", "/v1/audio/", "/openai/v1/audio/", "/v1/moderations")):
        return media.method_of(client, path, request, stream=recording.stream)
    if path.endswith("/responses/input_tokens"):
        return client.responses.input_tokens.count, request
    if recording.method == "GET":
        return client.responses.retrieve, {"response_id": path.rpartition("/")[2]} | ({"stream": True} if recording.stream else {})
    beta = "beta=true" in recording.path
    methods = {
        "/messages": lambda: client.beta.messages.create if beta else client.messages.create,
        "/chat/completions": lambda: client.chat.completions.create,
        "/responses": lambda: client.responses.create,
        "/responses/compact": lambda: client.responses.compact,
        "/completions": lambda: client.completions.create,
        "/embeddings": lambda: client.embeddings.create,
        "/api/chat": lambda: client.chat,
        "/api/generate": lambda: client.generate,
        "/api/embed": lambda: client.embed,
        "/api/embeddings": lambda: client.embeddings,
    }
    method = methods[end_of(path, methods)]()
    if path in {"/api/embed", "/api/embeddings"}:
        return method, request
    is_ollamas = recording.provider == "ollama" and path.startswith("/api/")
    if recording.stream or is_ollamas:
        request["stream"] = recording.stream  # some recorders lost it; Ollama streams where nothing is said
    if is_ollamas:
        return method, request
    known = inspect.signature(method).parameters
    extra = {name: value for name, value in request.items() if name not in known}
    given = {name: value for name, value in request.items() if name in known}
    return method, given | ({"extra_body": extra} if extra else {})


def entered(client: Any) -> Any:
    """The client as a context manager, which older ones are not."""
    return client if hasattr(client, "__enter__") or hasattr(client, "__aenter__") else nullcontext(client)


def end_of(path: str, ends: Iterable[str]) -> str:
    """The longest of these ends that a path has: before it may stand a version, a gateway's prefix, a deployment."""
    return max((end for end in ends if path.endswith(end)), key=len)


def ask(recording: Recording, url: str) -> list[Any]:
    """Call the SDK; all it gives: one object, or every chunk of the stream."""
    if recording.provider == "bedrock":
        return bedrock.ask(recording, url)
    with entered(client_of(recording, url)) as client:
        method, arguments = method_of(client, recording)
        answer = method(**arguments)
        return list(answer) if recording.stream else [answer]


async def ask_async(recording: Recording, url: str) -> list[Any]:
    """The same with the asynchronous client."""
    if recording.provider == "bedrock":
        return await bedrock.ask_async(recording, url)
    async with entered(client_of(recording, url, asynchronous=True)) as client:
        method, arguments = method_of(client, recording)
        answer = method(**arguments)
        answer = await answer if inspect.isawaitable(answer) else answer  # Cohere's streams are async generators
        return [chunk async for chunk in answer] if recording.stream else [answer]


def ask_raw(recording: Recording, url: str) -> list[Any]:
    """Call the SDK for the raw response, and parse that."""
    with client_of(recording, url) as client:
        method, arguments = method_of(client.with_raw_response, recording)
        answer = method(**arguments).parse()
        return list(answer) if recording.stream else [answer]


def ask_lines(recording: Recording, url: str) -> list[str]:
    """Call the SDK for the response as it arrives, and read its lines, which nothing parses."""
    with client_of(recording, url) as client:
        method, arguments = method_of(client.with_streaming_response, recording)
        with method(**arguments) as response:
            return list(response.iter_lines())


def error_types() -> tuple[type[Exception], ...]:
    """What the SDKs raise for an answer that is an error."""
    return (
        *bedrock.ERRORS,
        anthropic.APIError,
        openai.APIError,
        groq.APIError,
        ollama.ResponseError,
        genai_errors.APIError,
        CohereError,
        *MISTRAL_ERRORS,
        *provider_sdks.error_types(),
    )


def naive_counts(items: list[Any]) -> Counts:  # noqa: C901 - one rule for each kind of object
    """The counts of the last item that states any: as a user would read them from the SDK's objects."""
    if isinstance(items[0], dict) and "ResponseMetadata" in items[0]:
        return bedrock.naive_counts(items)
    if provider_sdks.is_of_one(items[0]):
        return provider_sdks.naive_counts(items)
    counts: Counts = {"input_tokens": None, "output_tokens": None, "cached_input_tokens": None, "reasoning_tokens": None}
    for each in items:
        item = getattr(each, "data", None) if hasattr(getattr(each, "data", None), "usage") else each  # Mistral's events
        usage = _usage(item)
        if usage is None:
            continue
        if hasattr(item, "usage_metadata"):
            stated = ("prompt_token_count", "candidates_token_count", "cached_content_token_count", "thoughts_token_count")
            counts = dict(zip(counts, (getattr(usage, name) for name in stated), strict=True))
            continue
        if hasattr(usage, "billed_units"):
            told = usage.tokens or usage.billed_units
            counts |= {"input_tokens": _first(told, "input_tokens"), "output_tokens": _first(told, "output_tokens")}
            counts["cached_input_tokens"] = _first(usage, "cached_tokens")
            continue
        if hasattr(usage, "total_thought_tokens"):
            names = ("total_input_tokens", "total_output_tokens", "total_cached_tokens", "total_thought_tokens")
            counts = dict(zip(counts, (getattr(usage, name) for name in names), strict=True))
            continue
        if hasattr(usage, "prompt_tokens") and type(usage).__module__.startswith("mistralai"):
            stated = usage.model_dump()
            details = stated.get("prompt_tokens_details") or {}
            cached = details.get("cached_tokens", stated.get("num_cached_tokens"))
            counts |= {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens, "cached_input_tokens": cached}
            continue
        if hasattr(item, "prompt_eval_count"):
            counts |= {"input_tokens": item.prompt_eval_count, "output_tokens": getattr(item, "eval_count", None)}
            continue
        if hasattr(usage, "cache_read_input_tokens"):
            out = _first(usage, "output_tokens_details")
            stated = {
                "input_tokens": _first(usage, "input_tokens"),
                "output_tokens": _first(usage, "output_tokens"),
                "cached_input_tokens": _first(usage, "cache_read_input_tokens"),
                "reasoning_tokens": _first(out, "thinking_tokens"),
            }
            counts |= {name: count for name, count in stated.items() if count is not None}  # Anthropic's second usage states what has changed
            continue
        into, out = (
            _first(usage, "input_tokens_details", "prompt_tokens_details", "prompt_token_details"),
            _first(usage, "output_tokens_details", "completion_tokens_details"),
        )
        counts = {
            "input_tokens": _first(usage, "input_tokens", "prompt_tokens"),
            "output_tokens": _first(usage, "output_tokens", "completion_tokens"),
            "cached_input_tokens": _first(into, "cached_tokens"),
            "reasoning_tokens": _first(out, "reasoning_tokens"),
        }
    return counts


def _usage(item: Any) -> Any:
    if hasattr(item, "prompt_eval_count"):
        return item if item.prompt_eval_count is not None or getattr(item, "eval_count", None) is not None else None
    return (
        _first(item, "usage", "usage_metadata")
        or _first(_first(item, "x_groq"), "usage")
        or _first(_first(item, "response"), "usage")
        or _first(_first(item, "message"), "usage")
        or _first(_first(item, "delta"), "usage")
        or _first(item, "meta")
        or _first(_first(item, "response"), "meta")
        or _first(_first(item, "interaction"), "usage")
    )


def _first(value: Any, *names: str) -> Any:
    read = value.get if isinstance(value, dict) else partial(getattr, value)  # a dictionary: a field that the SDK does not declare
    return next((found for name in names if (found := read(name, None)) is not None), None)


def url_of(server: ReplayServer, recording: Recording, **more: Any) -> str:
    """A base URL at which only this recording answers."""
    return server.url(recording.provider, recording=recording.id, **more)
