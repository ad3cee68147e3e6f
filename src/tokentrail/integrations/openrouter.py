"""OpenRouter's SDK (openrouter): chat, responses, embeddings, rerank, decisions, images, audio and batches; sync, async, streams.

Each answer states its usage, streams unasked; but speech is audio alone, and videos state a price and no tokens. What an earlier call has spent
(`generations`), and sums of calls (`analytics`), are no calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.openai_endpoints import CHAT, EMBEDDINGS, RESPONSES
from tokentrail.integrations.shapes.cohere_texts import texts_of_inputs
from tokentrail.integrations.shapes.job_endpoints import BATCH
from tokentrail.integrations.shapes.openai_audio import AUDIO_PATHS
from tokentrail.integrations.shapes.openai_images import IMAGES
from tokentrail.integrations.shapes.openai_jobs import find_inlined_batch, find_new_inlined_batch
from tokentrail.integrations.shapes.openai_json import ChatEvents, read_chat_json, read_embeddings_json
from tokentrail.integrations.shapes.openai_realtime import DECISION
from tokentrail.integrations.transports.probes import probe_openrouter
from tokentrail.integrations.transports.speakeasy import hooks_of

__all__ = ["INTEGRATION"]

EMBED: Final = replace(EMBEDDINGS, read=read_embeddings_json)


def _texts_of_state(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns what a decision is about, where that is a text."""
    state = body.get("state")
    return (state,) if isinstance(state, str) else ()


DECIDE: Final = replace(DECISION, texts=_texts_of_state)
PATHS: Final[dict[str, Endpoint | None]] = {
    "chat/completions": replace(CHAT, read=read_chat_json, chunks=ChatEvents),
    "responses": replace(RESPONSES, instead=None),
    "embeddings": EMBED,
    "images": IMAGES,
    **AUDIO_PATHS,
    "decisions": DECIDE,
    "systemone": DECIDE,
    "batches": replace(BATCH, findings=find_new_inlined_batch),
    "rerank": replace(EMBED, name="rerank", gen_ai_operation="rerank", texts=texts_of_inputs),
    # a preset is made of a request, and no model answers
    "presets/*/chat/completions": None,
    "presets/*/responses": None,
}

INTEGRATION: Final = Integration(
    name="openrouter",
    package="openrouter",
    supports=">=0.1,<2",
    hooks=hooks_of("openrouter", "openrouter", PATHS, named={"GET batches/*": replace(BATCH, findings=find_inlined_batch)}),
    clashes=("openlit",),
    probe=probe_openrouter,
)
