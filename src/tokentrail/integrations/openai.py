"""OpenAI's SDK, with any provider at the base URL: chat, responses, completions, embeddings; sync, async, streams, raw responses, Azure.

The endpoints are those of OpenAI's API, also used for the SDKs of other providers that answer on OpenAI's paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange, Integration
from tokentrail.integrations.shapes.openai_chat import ChatChunks, read_chat, texts_of_chat
from tokentrail.integrations.shapes.openai_completions import (
    CompletionChunks,
    read_completion,
    read_embeddings,
    texts_of_completion,
    texts_of_embeddings,
)
from tokentrail.integrations.shapes.openai_responses import (
    BackgroundEvents,
    ResponseEvents,
    read_background,
    read_response,
    texts_of_response_request,
)
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of, read_error
from tokentrail.process.current import current
from tokentrail.providers.lookup import Server

__all__ = ["CHAT", "COMPLETIONS", "EMBEDDINGS", "INTEGRATION", "RESPONSES", "ROUTES", "openai_routes"]

AZURE_ACCEPTS_SINCE: Final = "2024-09-01"


def _ask_for_usage(client: Any, body: Mapping[str, Any], server: Server) -> Mapping[str, Any] | None:
    """Returns `include_usage`, or None if the caller has set `stream_options`, or the provider or Azure's API version may refuse the option."""
    if not server.accepts_include_usage or "stream_options" in body or not current.settings.include_usage:
        return None
    version = getattr(client, "_api_version", None)
    if server.provider == "azure.ai.openai" and isinstance(version, str) and version[:1].isdigit() and version < AZURE_ACCEPTS_SINCE:
        return None
    return {"stream_options": {"include_usage": True}}


def _read_error(exchange: Exchange, error: BaseException) -> Answer | None:
    """Returns the usage of a call that raised; `LengthFinishReasonError` carries the truncated answer, which could not be parsed."""
    if exchange.billed is None:
        exchange.billed = getattr(error, "completion", None)
    return read_error(exchange, error)


CHAT: Final = Endpoint(
    name="chat",
    gen_ai_operation="chat",
    operation="chat",
    texts=texts_of_chat,
    read=read_chat,
    chunks=ChatChunks,
    asks_for_usage=_ask_for_usage,
    read_error=_read_error,
    parses=True,
)
COMPLETIONS: Final = Endpoint(
    name="completions",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_completion,
    read=read_completion,
    chunks=CompletionChunks,
    asks_for_usage=_ask_for_usage,
)
EMBEDDINGS: Final = Endpoint(
    name="embeddings",
    gen_ai_operation="embeddings",
    operation="vector_search",
    texts=texts_of_embeddings,
    read=read_embeddings,
    token_type="embedding",  # noqa: S106 - a kind of token
)
BACKGROUND: Final = Endpoint(
    name="responses",
    gen_ai_operation="chat",
    operation="generation",
    texts=texts_of_response_request,
    read=read_background,
    chunks=BackgroundEvents,
    deferred=True,
)
RESPONSES: Final = Endpoint(
    name="responses",
    gen_ai_operation="chat",
    operation="generation",
    texts=texts_of_response_request,
    read=read_response,
    chunks=ResponseEvents,
    parses=True,
    instead=("background", BACKGROUND),
)


def openai_routes(prefix: str = "") -> Routes:
    """Returns the routes of OpenAI's endpoints; `prefix` is the start of the SDK's own paths."""
    return Routes(
        {"chat/completions": CHAT, "responses": RESPONSES, "responses/compact": RESPONSES, "completions": COMPLETIONS, "embeddings": EMBEDDINGS},
        jobs={"responses": BACKGROUND},  # a retrieved or cancelled response counts only if the response is a job
        no_ids=("input_tokens", "compact"),
        models_after=("deployments", "engines"),  # Azure's paths name the model: /openai/deployments/gpt-4o/chat/completions
        prefix=prefix,
    )


ROUTES: Final = openai_routes()

INTEGRATION: Final = Integration(
    name="openai",
    package="openai",
    supports=">=1.50,<4",
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
    probe=partial(probe_stainless, "openai", "OpenAI"),
)
