"""Hugging Face's SDK (huggingface_hub): chat completion, text generation and their streams, feature extraction; sync and async, any provider.

The other tasks (images, audio, classification, …) state no tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.huggingface import (
    ChatEvents,
    GenerationEvents,
    read_chat,
    read_generation,
    read_vectors,
    texts_of_inputs,
)
from tokentrail.integrations.shapes.openai_chat import texts_of_chat
from tokentrail.integrations.transports.huggingface import hooks_of
from tokentrail.integrations.transports.probes import probe_huggingface
from tokentrail.process.current import current
from tokentrail.providers.lookup import Server

__all__ = ["INTEGRATION"]


def _ask_for_usage(_client: Any, body: Mapping[str, Any], server: Server) -> Mapping[str, Any] | None:
    """Returns `include_usage`, or None if the caller has set `stream_options`, or the provider may refuse the option."""
    asks = server.accepts_include_usage and "stream_options" not in body and current.settings.include_usage
    return {"stream_options": {"include_usage": True}} if asks else None


CHAT: Final = Endpoint(
    name="chat",
    gen_ai_operation="chat",
    operation="chat",
    texts=texts_of_chat,
    read=read_chat,
    chunks=ChatEvents,
    asks_for_usage=_ask_for_usage,
)
GENERATE: Final = Endpoint(
    name="generate",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_inputs,
    read=read_generation,
    chunks=GenerationEvents,
)
EMBED: Final = Endpoint(
    name="embeddings",
    gen_ai_operation="embeddings",
    operation="vector_search",
    texts=texts_of_inputs,
    read=read_vectors,
    token_type="embedding",  # noqa: S106 - a kind of token
)

INTEGRATION: Final = Integration(
    name="huggingface_hub",
    package="huggingface_hub",
    supports=">=0.28,<3",
    hooks=hooks_of("huggingface_hub", "huggingface", {"conversational": CHAT, "text-generation": GENERATE, "feature-extraction": EMBED}),
    clashes=("langfuse", "logfire", "openlit"),
    probe=probe_huggingface,
    answers={"huggingface": (CHAT, GENERATE, EMBED)},
)
