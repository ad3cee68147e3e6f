"""Mistral's SDK (mistralai), also for Azure and Google Cloud: chat, agents, conversations, FIM, embeddings, responses, OCR, audio, batches.

All sync and async; of the older versions, fine-tuning too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.job_endpoints import BATCH, NEW_TUNING, RESULTS, TUNING
from tokentrail.integrations.shapes.mistral import (
    AudioEvents,
    MistralChunks,
    no_texts,
    read_audio,
    read_chat,
    read_embeddings,
    texts_of_fim,
)
from tokentrail.integrations.shapes.mistral_conversations import ConversationEvents, read_conversation, texts_of_conversation
from tokentrail.integrations.shapes.openai_chat import texts_of_chat
from tokentrail.integrations.shapes.openai_completions import texts_of_embeddings
from tokentrail.integrations.shapes.openai_jobs import find_inlined_batch, find_new_inlined_batch
from tokentrail.integrations.shapes.openai_responses import ResponseEvents, read_response, texts_of_response_request
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.transports.probes import probe_mistral
from tokentrail.integrations.transports.speakeasy import hooks_of

__all__ = ["CHAT", "EMBED", "FIM", "INTEGRATION"]

CHAT: Final = Endpoint(name="chat", gen_ai_operation="chat", operation="chat", texts=texts_of_chat, read=read_chat, chunks=MistralChunks)
FIM: Final = replace(CHAT, name="fim", gen_ai_operation="text_completion", operation="generation", texts=texts_of_fim)
EMBED: Final = embeddings(texts_of_embeddings, read_embeddings)
CONVERSATION: Final = replace(CHAT, name="conversations", texts=texts_of_conversation, read=read_conversation, chunks=ConversationEvents)
RESPONSE: Final = replace(CHAT, name="responses", operation="generation", texts=texts_of_response_request, read=read_response, chunks=ResponseEvents)
TRANSCRIPTION: Final = Endpoint(
    name="transcriptions", gen_ai_operation="generate_content", operation="generation", texts=no_texts, read=read_audio, chunks=AudioEvents
)
SPEECH: Final = replace(TRANSCRIPTION, name="speech", texts=texts_of_embeddings)
OCR: Final = replace(TRANSCRIPTION, name="ocr", operation="extraction", chunks=None)
GOOGLE: Final = replace(CHAT, instead=("prompt", FIM))  # one path for both

PATHS: Final = {
    "chat/completions": CHAT,
    "agents/completions": replace(CHAT, name="agents"),
    "fim/completions": FIM,
    "embeddings": EMBED,
    "conversations": CONVERSATION,
    "conversations/*": CONVERSATION,
    "conversations/*/restart": CONVERSATION,
    "responses": RESPONSE,
    "audio/transcriptions": TRANSCRIPTION,
    "audio/speech": SPEECH,
    "ocr": OCR,
    "rawPredict": GOOGLE,
    "streamRawPredict": GOOGLE,
    "batch/jobs": replace(BATCH, findings=find_new_inlined_batch),
    "fine_tuning/jobs": NEW_TUNING,
}
MISTRAL_BATCH: Final = replace(BATCH, findings=find_inlined_batch)
JOBS: Final = {
    "GET batch/jobs/*": MISTRAL_BATCH,
    "POST batch/jobs/*/cancel": MISTRAL_BATCH,
    "GET files/*/content": RESULTS,
    "GET fine_tuning/jobs/*": TUNING,
    "POST fine_tuning/jobs/*/cancel": TUNING,
}

INTEGRATION: Final = Integration(
    name="mistralai",
    package="mistralai",
    supports=">=1.6,<4",
    hooks=(
        # since version 2
        *hooks_of("mistralai.client", "mistral_ai", PATHS, named=JOBS),
        *hooks_of("mistralai.azure.client", "azure.ai.inference", PATHS),
        *hooks_of("mistralai.gcp.client", "gcp.vertex_ai", PATHS),
        # version 1
        *hooks_of("mistralai", "mistral_ai", PATHS, named=JOBS),
        *hooks_of("mistralai_azure", "azure.ai.inference", PATHS),
        *hooks_of("mistralai_gcp", "gcp.vertex_ai", PATHS),
    ),
    clashes=("opentelemetry-instrumentation-mistralai", "openinference-instrumentation-mistralai", "openlit", "langfuse", "logfire"),
    probe=probe_mistral,
    answers={
        "mistral_ai": tuple(
            {endpoint.name: endpoint for path, endpoint in PATHS.items() if endpoint.findings is None and not path.endswith("Predict")}.values()
        )
    },
)
