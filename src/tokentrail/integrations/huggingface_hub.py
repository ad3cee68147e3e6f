"""Hugging Face's SDK (huggingface_hub): chat completion, text generation and their streams, feature extraction; sync and async, any provider.

The other tasks (images, audio, classification, …) state no tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations import openai_endpoints
from tokentrail.integrations.shapes.huggingface import (
    ChatEvents,
    GenerationEvents,
    read_chat,
    read_generation,
    read_vectors,
    texts_of_inputs,
)
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports.huggingface import hooks_of
from tokentrail.integrations.transports.probes import probe_huggingface

__all__ = ["INTEGRATION"]


CHAT: Final = replace(openai_endpoints.CHAT, read=read_chat, chunks=ChatEvents, read_error=None, parses=False, by_attribute=False)
GENERATE: Final = replace(
    openai_endpoints.COMPLETIONS,
    name="generate",
    texts=texts_of_inputs,
    read=read_generation,
    chunks=GenerationEvents,
    asks_for_usage=None,  # TGI states its counts unasked
    by_attribute=False,
)
EMBED: Final = embeddings(texts_of_inputs, read_vectors)

INTEGRATION: Final = Integration(
    name="huggingface_hub",
    package="huggingface_hub",
    supports=">=0.28,<3",
    hooks=hooks_of("huggingface_hub", "huggingface", {"conversational": CHAT, "text-generation": GENERATE, "feature-extraction": EMBED}),
    clashes=("langfuse", "logfire", "openlit"),
    probe=probe_huggingface,
    answers={"huggingface": (CHAT, GENERATE, EMBED)},
)
