"""OpenAI's SDK, with whatever provider it is pointed at: chat, responses, completions, embeddings; sync, async, streams, raw responses, Azure."""

from __future__ import annotations

from typing import Final

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
from tokentrail.providers.routes import Routes
from tokentrail.providers.stainless import Endpoint, hooks_of

__all__ = ["CHAT", "JOBS", "PATHS", "PROVIDER", "ROUTES"]

CHAT: Final = Endpoint("chat", "chat", "chat", texts_of_chat, read_chat, ChatChunks, asks=True, parses=True)
COMPLETIONS: Final = Endpoint(
    "completions",
    "text_completion",
    "generation",
    texts_of_completion,
    read_completion,
    CompletionChunks,
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
    lambda body, _asked: ResponseEvents(body, background=True),
    deferred=True,
)
RESPONSES: Final = Endpoint(
    "responses",
    "chat",
    "generation",
    texts_of_response_request,
    read_response,
    lambda body, _asked: ResponseEvents(body),
    parses=True,
    background=BACKGROUND,
)
PATHS: Final = {
    "chat/completions": CHAT,
    "responses": RESPONSES,
    "responses/compact": RESPONSES,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
}
JOBS: Final = {"responses": BACKGROUND}
"""A response that is retrieved or cancelled counts only as a job."""

ROUTES: Final = Routes(PATHS, jobs=JOBS)

PROVIDER: Final = Provider(
    name="openai",
    package="openai",
    hooks=hooks_of("openai._base_client", "openai", ROUTES),
    clashes=(
        "opentelemetry-instrumentation-openai",
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-genai-openai",
        "openinference-instrumentation-openai",
        "openlit",
        "langfuse",
        "logfire",
    ),
)
