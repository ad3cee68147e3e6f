"""Voyage's SDK (voyageai): embeddings of texts, of chunks in their context, and of images, and rerank; sync and async.

Tokenizing is local, and so are the models that run in the process: neither is a call.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.shapes.vector_endpoints import embeddings
from tokentrail.integrations.shapes.voyage import read_answer, texts_of_request
from tokentrail.integrations.transports.probes import probe_voyage
from tokentrail.integrations.transports.voyageai import hooks_of

__all__ = ["INTEGRATION"]

EMBED: Final = embeddings(texts_of_request, read_answer)

PATHS: Final = {
    "/embeddings": EMBED,
    "/contextualizedembeddings": replace(EMBED, name="contextualized_embeddings"),
    "/multimodalembeddings": replace(EMBED, name="multimodal_embeddings"),
    "/rerank": replace(EMBED, name="rerank", gen_ai_operation="rerank"),  # the conventions have no word for it
}

INTEGRATION: Final = Integration(
    name="voyageai",
    package="voyageai",
    supports=">=0.2,<1",
    hooks=hooks_of(
        "voyageai",
        "voyage",
        PATHS,
        methods=("embed", "contextualized_embed", "multimodal_embed", "rerank"),
    ),
    clashes=("opentelemetry-instrumentation-voyageai", "openlit"),
    probe=probe_voyage,
    answers={"voyage": tuple(PATHS.values())},
)
