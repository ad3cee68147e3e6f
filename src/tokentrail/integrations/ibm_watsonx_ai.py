"""IBM's SDK (ibm-watsonx-ai): chat, text generation and their streams, embeddings, rerank, and the model gateway; sync and async.

Counting tokens (`tokenize`) is no call of a model; forecasts, extractions and audio state no tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.openai_endpoints import CHAT, COMPLETIONS, EMBEDDINGS
from tokentrail.integrations.shapes.openai_json import ChatEvents, read_chat_json, read_completion_json, read_embeddings_json
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.shapes.voyage import texts_of_request
from tokentrail.integrations.shapes.watsonx import GenerationEvents, WatsonxChatEvents, read_chat, read_generation, read_input
from tokentrail.integrations.transports.probes import probe_watsonx
from tokentrail.integrations.transports.watsonx import hooks_of

__all__ = ["INTEGRATION"]

CHATS: Final = replace(CHAT, read=read_chat, chunks=WatsonxChatEvents, read_error=None, asks_for_usage=None)
GENERATE: Final = Endpoint(
    name="generate",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_request,
    read=read_generation,
    chunks=GenerationEvents,
)
EMBED: Final = embeddings(texts_of_request, read_input)
PATHS: Final = {
    "text/chat": CHATS,
    "text/chat_stream": CHATS,
    "text/generation": GENERATE,
    "text/generation_stream": GENERATE,
    "generation/text": GENERATE,  # the path of the first versions of the API
    "text/embeddings": EMBED,
    "text/rerank": replace(EMBED, name="rerank", gen_ai_operation="rerank"),  # the conventions have no word for it
    "gateway/v1/completions": replace(COMPLETIONS, read=read_completion_json),
    "v1/chat/completions": replace(CHATS, read=read_chat_json, chunks=ChatEvents),
    "gateway/v1/embeddings": replace(EMBEDDINGS, read=read_embeddings_json),
}

INTEGRATION: Final = Integration(
    name="ibm-watsonx-ai",
    package="ibm-watsonx-ai",
    supports=">=1.6,<2",
    hooks=hooks_of("ibm_watsonx_ai", "ibm.watsonx.ai", PATHS),
    clashes=("opentelemetry-instrumentation-watsonx", "openlit"),
    probe=probe_watsonx,
    answers={"ibm.watsonx.ai": (CHATS, GENERATE, EMBED, PATHS["text/rerank"])},
)
