"""Cohere's SDK, versions 1 and 2 of the API: chat and its stream, generate and its stream, summarize, embed, rerank, classify; sync and async.

Batches state their tokens. `tokenize` and `detokenize` spend nothing. What states no tokens where it is asked for is no endpoint: embed jobs,
fine-tuning, pages, audio.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.cohere import CohereChunks, read_answer, read_vectors
from tokentrail.integrations.shapes.cohere_batches import find_cohere_batch, find_new_cohere_batch
from tokentrail.integrations.shapes.cohere_texts import texts_of_chat, texts_of_inputs
from tokentrail.integrations.shapes.job_endpoints import BATCH
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports.fern import hooks_of
from tokentrail.integrations.transports.probes import probe_cohere

__all__ = ["CHAT", "EMBED", "INTEGRATION", "RERANK"]

CHAT: Final = Endpoint(name="chat", gen_ai_operation="chat", operation="chat", texts=texts_of_chat, read=read_answer, chunks=CohereChunks)
GENERATE: Final = Endpoint(
    name="generate",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_inputs,
    read=read_answer,
    chunks=CohereChunks,
)
SUMMARIZE: Final = replace(GENERATE, name="summarize", operation="summarize", chunks=None)
EMBED: Final = embeddings(texts_of_inputs, read_vectors)
RERANK: Final = replace(EMBED, name="rerank", gen_ai_operation="rerank")  # the conventions have no word for the next two
CLASSIFY: Final = replace(EMBED, name="classify", gen_ai_operation="classify", operation="classification")

COHERE_BATCH: Final = replace(BATCH, findings=find_cohere_batch)
JOBS: Final = {
    "POST v2/batches": replace(BATCH, findings=find_new_cohere_batch),
    "GET v2/batches/*": COHERE_BATCH,
}

INTEGRATION: Final = Integration(
    name="cohere",
    package="cohere",
    supports=">=5.11,<8",
    hooks=hooks_of(
        "cohere.core.http_client",
        "cohere",
        {
            "v1/chat": CHAT,
            "v1/generate": GENERATE,
            "v1/summarize": SUMMARIZE,
            "v1/embed": EMBED,
            "v1/rerank": RERANK,
            "v1/classify": CLASSIFY,
            "v2/chat": CHAT,
            "v2/embed": EMBED,
            "v2/rerank": RERANK,
        },
        carriers={
            "cohere.base_client": (
                "BaseCohere.chat_stream",
                "BaseCohere.generate_stream",
                "AsyncBaseCohere.chat_stream",
                "AsyncBaseCohere.generate_stream",
            ),
            "cohere.client": ("Client.embed",),  # a thread for each 96 texts
            "cohere.v2.client": ("V2Client.chat_stream", "AsyncV2Client.chat_stream"),
        },
        named=JOBS,
    ),
    clashes=("opentelemetry-instrumentation-cohere", "openlit", "langfuse", "logfire"),
    probe=probe_cohere,
    answers={"cohere": (CHAT, GENERATE, SUMMARIZE, EMBED, RERANK, CLASSIFY, COHERE_BATCH)},
)
