"""Mistral's SDK of any version, and its method for a recording."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tests.support.planted import KEY

try:
    sdk: Any = import_module("mistralai.client.sdk")
    errors: Any = import_module("mistralai.client.errors")
except ImportError:
    sdk = import_module("mistralai.sdk")  # version 1
    errors = import_module("mistralai.models")

ERRORS: tuple[type[Exception], ...] = tuple(
    kind for name in ("MistralError", "SDKError", "HTTPValidationError") if (kind := getattr(errors, name, None))
)

ASK: dict[str, Any] = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 40, "completion_tokens": 11, "total_tokens": 51, "num_cached_tokens": 32}
HEAD = {"id": "cmpl-1", "created": 1790000000, "model": "mistral-small-2603"}


class AsyncMistral(sdk.Mistral):  # type: ignore[misc]
    """The client, of which the asynchronous methods are asked for."""


def mistral_client(url: str, *, asynchronous: bool = False, **more: Any) -> Any:
    """The client, pointed at `url`."""
    return (AsyncMistral if asynchronous else sdk.Mistral)(api_key=KEY, server_url=url, timeout_ms=20_000, **more)


def method_for(client: Any, path: str, *, stream: bool) -> Callable[..., Any]:
    """The client's method for a path, sync or async."""
    place, name = _place_of(path, stream=stream)
    owner = client
    for step in place.split("."):
        owner = getattr(owner, step)
    return getattr(owner, name + ("_async" if isinstance(client, AsyncMistral) else ""))  # type: ignore[no-any-return]


def _place_of(path: str, *, stream: bool) -> tuple[str, str]:
    steps = path.removeprefix("/v1/").split("/")
    if steps[0] == "conversations":
        name = {1: "start", 2: "append", 3: "restart"}[len(steps)]
        return "beta.conversations", f"{name}_stream" if stream else name
    places = {"embeddings": ("embeddings", "create"), "ocr": ("ocr", "process"), "responses": ("responses", "create")}
    if steps[0] in places:
        return places[steps[0]]
    if steps == ["audio", "speech"]:
        return "audio.speech", "complete"
    return (".".join(steps) if steps[0] == "audio" else steps[0]), "stream" if stream else "complete"


def arguments_for(method: Callable[..., Any], path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded request in the SDK's words, without what the SDK does not know."""
    given = dict(request)
    if path == "/v1/embeddings":
        given["inputs"] = given.pop("input")
    if path.startswith("/v1/conversations/"):
        given["conversation_id"] = path.split("/")[3]
    if path not in {"/v1/responses", "/v1/audio/speech"}:
        given.pop("stream", None)
    known = inspect.signature(method).parameters
    return {name: value for name, value in given.items() if name in known and value is not None}


def answer(**more: Any) -> dict[str, Any]:
    """The answer of a chat that states `USAGE`."""
    message = {"role": "assistant", "content": "lorem ipsum"}
    return {**HEAD, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE, **more}


def chunks(*texts: str, usage: Any = USAGE) -> list[dict[str, Any]]:
    """The chunks of a chat, of which the last states the usage."""

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": text}) for text in texts),
        {**chunk({"content": ""}, "stop"), "usage": usage},
    ]


def retry_at_once() -> Any:
    """Settings of a client that tries again at once."""
    try:
        retries: Any = import_module("mistralai.client.utils.retries")
    except ImportError:
        retries = import_module("mistralai.utils.retries")  # version 1
    return retries.RetryConfig("backoff", retries.BackoffStrategy(1, 5, 1.0, 10_000), False)
