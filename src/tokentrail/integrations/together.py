"""Together's SDK since version 2, which Stainless generates: chat, completions, embeddings and rerank; sync, async, streams, raw responses.

Together's streams state their usage without a request for usage. Embeddings need not state any.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.openai_endpoints import CHAT, COMPLETIONS, EMBEDDINGS
from tokentrail.integrations.shapes.cohere_texts import texts_of_inputs
from tokentrail.integrations.shapes.openai_models import read_chat_model
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION"]

RERANK: Final = replace(EMBEDDINGS, name="rerank", gen_ai_operation="rerank", texts=texts_of_inputs)
PATHS: Final = {"chat/completions": replace(CHAT, read=read_chat_model), "completions": COMPLETIONS, "embeddings": EMBEDDINGS, "rerank": RERANK}

INTEGRATION: Final = Integration(
    name="together",
    package="together",
    supports=">=2.0,<4",
    hooks=hooks_of("together._base_client", "together", Routes(PATHS, prefix="/v1")),
    clashes=("opentelemetry-instrumentation-together", "openinference-instrumentation-together", "openlit"),
    probe=partial(probe_stainless, "together", "Together"),
)
