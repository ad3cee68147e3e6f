"""OpenAI's SDK, with whatever provider it is pointed at: chat, responses, completions, embeddings; sync, async, streams, raw responses, Azure."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from tokentrail.providers import Provider
from tokentrail.providers.openai_responses import ResponseEvents, read_background, read_response, texts_of_response_request
from tokentrail.providers.openai_shape import (
    ChatChunks,
    CompletionChunks,
    read_chat,
    read_completion,
    read_embeddings,
    texts_of_chat,
    texts_of_completion,
    texts_of_embeddings,
)
from tokentrail.providers.probes import probe_stainless
from tokentrail.providers.stainless import Endpoint, hooks_of

__all__ = ["CHAT", "COMPLETIONS", "EMBEDDINGS", "PROVIDER", "RESPONSES"]

CHAT: Final = Endpoint("chat", "chat", "chat", texts_of_chat, read_chat, lambda asked: ChatChunks(asked=asked), asks=True, parses=True)
COMPLETIONS: Final = Endpoint(
    "completions",
    "text_completion",
    "generation",
    texts_of_completion,
    read_completion,
    lambda asked: CompletionChunks(asked=asked),
    asks=True,
)
EMBEDDINGS: Final = Endpoint(
    "embeddings",
    "embeddings",
    "vector_search",
    texts_of_embeddings,
    read_embeddings,
    token_type="embedding",  # noqa: S106 - a kind of token
)
BACKGROUND: Final = Endpoint(
    "responses",
    "chat",
    "generation",
    texts_of_response_request,
    read_background,
    lambda _asked: ResponseEvents(background=True),
    deferred=True,
)
RESPONSES: Final = Endpoint(
    "responses",
    "chat",
    "generation",
    texts_of_response_request,
    read_response,
    lambda _asked: ResponseEvents(),
    parses=True,
    background=BACKGROUND,
)
_BY_PATH: Final = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/responses/compact": RESPONSES,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
}
_JOBS: Final = "/responses/"


def find(options: Any) -> Endpoint | None:
    """Find the endpoint of a request by its path. A response that is retrieved or cancelled counts only as a job."""
    endpoint = _BY_PATH.get(options.url) or _find_written_otherwise(options)
    return endpoint if endpoint is not None and (endpoint is BACKGROUND or options.method.lower() == "post") else None


def _find_written_otherwise(options: Any) -> Endpoint | None:
    """Find what is asked for by id, with a query (`/responses?beta=true`), or by a whole URL or without the first slash (`client.post(...)`)."""
    path = options.url.partition("?")[0].strip("/")
    if "://" in path:
        return next((endpoint for known, endpoint in _BY_PATH.items() if path.endswith(known)), None)
    path = f"/{path}"
    if path in _BY_PATH or not path.startswith(_JOBS):
        return _BY_PATH.get(path)
    job = path[len(_JOBS) :]
    polled = options.method.lower() == "get" and "/" not in job
    return BACKGROUND if polled or job.endswith("/cancel") else None


PROVIDER: Final = Provider(
    name="openai",
    package="openai",
    hooks=hooks_of("openai._base_client", "openai", find),
    clashes=(
        "opentelemetry-instrumentation-openai",
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-genai-openai",
        "openinference-instrumentation-openai",
        "openlit",
        "langfuse",
        "logfire",
    ),
    probe=partial(probe_stainless, "openai", "OpenAI"),
)
