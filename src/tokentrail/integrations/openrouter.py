"""OpenRouter's SDK (openrouter): chat, responses, embeddings and rerank; sync, async, streams. Each answer states its usage, streams unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.openai_endpoints import CHAT, EMBEDDINGS, RESPONSES
from tokentrail.integrations.shapes.cohere import texts_of_inputs
from tokentrail.integrations.shapes.openai_json import ChatEvents, read_chat_json, read_embeddings_json
from tokentrail.integrations.transports.probes import probe_openrouter
from tokentrail.integrations.transports.speakeasy import hooks_of

__all__ = ["INTEGRATION"]

EMBED: Final = replace(EMBEDDINGS, read=read_embeddings_json)

PATHS: Final[dict[str, Endpoint | None]] = {
    "chat/completions": replace(CHAT, read=read_chat_json, chunks=ChatEvents),
    "responses": replace(RESPONSES, instead=None),
    "embeddings": EMBED,
    "rerank": replace(EMBED, name="rerank", gen_ai_operation="rerank", texts=texts_of_inputs),
    # a preset is made of a request, and no model answers
    "presets/*/chat/completions": None,
    "presets/*/responses": None,
}

INTEGRATION: Final = Integration(
    name="openrouter",
    package="openrouter",
    supports=">=0.1,<2",
    hooks=hooks_of("openrouter", "openrouter", PATHS),
    clashes=("openlit",),
    probe=probe_openrouter,
)
