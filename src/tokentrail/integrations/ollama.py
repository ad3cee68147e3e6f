"""Ollama's SDK: chat, generate, embed, embeddings, System One; sync, async, streams; a server of one's own, or Ollama's cloud (`https://ollama.com`).

The cloud's search and fetch of web pages are no calls of a model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.ollama import (
    OllamaChunks,
    chat_spends,
    generate_spends,
    read,
    texts_of_embed,
    texts_of_embeddings,
    texts_of_generate,
    texts_of_state,
)
from tokentrail.integrations.shapes.openai_chat import texts_of_chat
from tokentrail.integrations.shapes.openai_responses import read_response
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports.ollama import hooks_of
from tokentrail.integrations.transports.probes import probe_ollama

__all__ = ["CHAT", "EMBED", "EMBEDDINGS", "GENERATE", "INTEGRATION"]

CHAT: Final = Endpoint(
    name="chat", gen_ai_operation="chat", operation="chat", texts=texts_of_chat, read=read, chunks=OllamaChunks, spends=chat_spends, by_attribute=True
)
GENERATE: Final = Endpoint(
    name="generate",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_generate,
    read=read,
    chunks=OllamaChunks,
    spends=generate_spends,
    by_attribute=True,
)
EMBED: Final = embeddings(texts_of_embed, read, by_attribute=True)
EMBEDDINGS: Final = replace(EMBED, texts=texts_of_embeddings)
SYSTEM_ONE: Final = Endpoint(name="systemone", gen_ai_operation="chat", operation="classification", texts=texts_of_state, read=read_response)

INTEGRATION: Final = Integration(
    name="ollama",
    package="ollama",
    supports=">=0.4,<1",
    hooks=hooks_of(
        "ollama._client",
        "ollama",
        {"/api/chat": CHAT, "/api/generate": GENERATE, "/api/embed": EMBED, "/api/embeddings": EMBEDDINGS, "/v1/systemone": SYSTEM_ONE},
    ),
    clashes=("opentelemetry-instrumentation-ollama", "openlit"),
    probe=probe_ollama,
    answers={"ollama": (CHAT, GENERATE, EMBED)},
)
