"""Google's SDK (google-genai): generate_content, its stream, chats, Live sessions, interactions, embeddings and batches; sync and async.

On the Gemini API and on Vertex. The results of Vertex' batches lie in Google's storage, which this SDK does not read: their creation is observed, and
they count as answers at hand (`tokentrail.track_response`). A cached content is no call: its tokens are billed "at a reduced rate when included in
subsequent prompts", and for the time of their storage (ai.google.dev/gemini-api/docs/caching); an answer states the tokens that it has used of the
cache.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.gemini import (
    GeminiChunks,
    is_embedding,
    read_content,
    read_embeddings,
    texts_of_contents,
    texts_of_embeddings,
)
from tokentrail.integrations.shapes.gemini_batches import find_gemini_at_hand, find_gemini_batch, find_gemini_result, find_new_gemini_batch
from tokentrail.integrations.shapes.gemini_live import LiveMessages, read_live
from tokentrail.integrations.shapes.interactions import InteractionEvents, read_interaction, texts_of_interaction
from tokentrail.integrations.shapes.job_endpoints import BATCH
from tokentrail.integrations.shapes.stored_batches import find_new_vertex_batch, find_vertex_result
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports import google_live, speakeasy
from tokentrail.integrations.transports.google_genai import hooks_of
from tokentrail.integrations.transports.google_polls import NewInteractionEvents, PolledEvents, read_new_interaction, read_polled_interaction
from tokentrail.integrations.transports.probes import probe_google

__all__ = ["EMBED", "GENERATE", "INTEGRATION"]

GENERATE: Final = Endpoint(
    name="generate",
    gen_ai_operation="generate_content",
    operation="chat",
    texts=texts_of_contents,
    read=read_content,
    chunks=GeminiChunks,
)
EMBED: Final = embeddings(texts_of_embeddings, read_embeddings)
LIVE: Final = replace(GENERATE, name="live", read=read_live, chunks=LiveMessages)
POLLED: Final = Endpoint(
    name="interactions",
    gen_ai_operation="chat",
    operation="generation",
    texts=texts_of_interaction,
    read=read_polled_interaction,
    chunks=PolledEvents,
    deferred=True,
)
BACKGROUND: Final = replace(POLLED, read=read_new_interaction, chunks=NewInteractionEvents)
INTERACTION: Final = replace(POLLED, read=read_interaction, chunks=InteractionEvents, deferred=False, instead=("background", BACKGROUND))

NEW_BATCH: Final = replace(BATCH, gen_ai_operation="generate_content", findings=find_new_gemini_batch)
AT_HAND: Final = replace(NEW_BATCH, findings=find_gemini_at_hand)
STORED: Final = replace(NEW_BATCH, findings=find_vertex_result)

INTEGRATION: Final = Integration(
    name="google-genai",
    package="google-genai",
    supports=">=1.4,<4",
    hooks=(
        *hooks_of(
            "google.genai._api_client",
            {
                "generateContent": GENERATE,
                "streamGenerateContent": GENERATE,
                "embedContent": EMBED,
                "batchEmbedContents": EMBED,
                "predict": replace(EMBED, spends=is_embedding),  # Vertex; its images and videos are predictions too
                "batchGenerateContent": NEW_BATCH,
                "asyncBatchEmbedContent": NEW_BATCH,
            },
            named={
                "GET batches/*": replace(NEW_BATCH, findings=find_gemini_batch),
                "POST batchPredictionJobs": replace(NEW_BATCH, findings=find_new_vertex_batch),
            },
            file=replace(NEW_BATCH, findings=find_gemini_result),
        ),
        *speakeasy.hooks_of(
            "google.genai._gaos",
            "gcp.gemini",
            {"interactions": INTERACTION},
            named={"GET interactions/*": POLLED, "POST interactions/*/cancel": POLLED},
            async_sdk="Async",
        ),
        *google_live.hooks_of("google.genai.live", LIVE),
    ),
    clashes=(
        "opentelemetry-instrumentation-google-generativeai",
        "opentelemetry-instrumentation-google-genai",
        "openinference-instrumentation-google-genai",
        "openlit",
        "langfuse",
        "logfire",
    ),
    probe=probe_google,
    answers={"gcp.gemini": (GENERATE, EMBED, INTERACTION, LIVE, AT_HAND), "gcp.vertex_ai": (GENERATE, EMBED, LIVE, STORED)},
)
