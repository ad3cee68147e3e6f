"""The endpoints of OpenAI's API that every SDK of such an API has: chat, completions, embeddings, rankings, responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Exchange
from tokentrail.integrations.shapes.cohere_texts import texts_of_inputs
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
    NewBackgroundEvents,
    ResponseEvents,
    read_background,
    read_new_background,
    read_response,
    texts_of_response_request,
)
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports.stainless import read_error
from tokentrail.process.current import current
from tokentrail.providers.lookup import Server

__all__ = ["BACKGROUND", "CHAT", "COMPLETIONS", "EMBEDDINGS", "RERANK", "RESPONSES"]

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
    by_attribute=True,
)
COMPLETIONS: Final = Endpoint(
    name="completions",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_completion,
    read=read_completion,
    chunks=CompletionChunks,
    asks_for_usage=_ask_for_usage,
    by_attribute=True,
)
EMBEDDINGS: Final = embeddings(texts_of_embeddings, read_embeddings, by_attribute=True)
RERANK: Final = replace(EMBEDDINGS, name="rerank", gen_ai_operation="rerank", texts=texts_of_inputs)
"""No endpoint of OpenAI: Voyage, Jina and others state the tokens of a ranking as those of embeddings. The conventions have no word for it."""
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
    instead=("background", replace(BACKGROUND, read=read_new_background, chunks=NewBackgroundEvents)),
)
