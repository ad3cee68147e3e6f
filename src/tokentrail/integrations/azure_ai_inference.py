"""Azure AI Inference's SDK (azure-ai-inference): chat and its stream, embeddings of texts and of images; sync and async.

The endpoint of a client may be Azure AI Foundry's, a model's own, GitHub Models' or Azure OpenAI's: the address decides who answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.openai_endpoints import CHAT, EMBEDDINGS
from tokentrail.integrations.shapes.mistral import no_texts
from tokentrail.integrations.shapes.openai_json import ChatEvents, read_chat_json, read_embeddings_json
from tokentrail.integrations.transports.azure_core import hooks_of
from tokentrail.integrations.transports.probes import probe_azure

__all__ = ["INTEGRATION"]

PATHS: Final[dict[str, Endpoint]] = {
    "chat/completions": replace(CHAT, read=read_chat_json, chunks=ChatEvents),
    "embeddings": replace(EMBEDDINGS, read=read_embeddings_json),
    "images/embeddings": replace(EMBEDDINGS, texts=no_texts, read=read_embeddings_json),
}

INTEGRATION: Final = Integration(
    name="azure-ai-inference",
    package="azure-ai-inference",
    supports=">=1.0.0b5,<2",
    hooks=hooks_of("azure.ai.inference", PATHS),
    clashes=("opentelemetry-instrumentation-azure-ai-inference", "openlit"),
    probe=probe_azure,
)
