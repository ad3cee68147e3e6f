"""Anthropic's SDK: messages and beta messages (create, parse, stream), and batches of them, sync and async.

The clients for Vertex and Foundry call the same method.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.anthropic_batches import find_message_result, find_new_message_batch
from tokentrail.integrations.shapes.anthropic_messages import MessageEvents, read_message, texts_of_messages
from tokentrail.integrations.shapes.job_endpoints import NEW_BATCH
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION", "MESSAGES"]

MESSAGES: Final = Endpoint(
    name="messages",
    gen_ai_operation="chat",
    operation="chat",
    texts=texts_of_messages,
    read=read_message,
    chunks=MessageEvents,
    parses=True,
)

BATCH: Final = replace(NEW_BATCH, findings=find_new_message_batch)
RESULTS: Final = replace(BATCH, findings=find_message_result)
ROUTES: Final = Routes(
    {"messages": MESSAGES, "messages/batches": BATCH},
    named={"GET messages/batches/*/results": RESULTS},
    prefix="/v1",
    queries=("beta=true",),
)

INTEGRATION: Final = Integration(
    name="anthropic",
    package="anthropic",
    supports=">=0.40,<3",
    hooks=hooks_of("anthropic._base_client", "anthropic", ROUTES),
    clashes=("opentelemetry-instrumentation-anthropic", "openinference-instrumentation-anthropic", "openlit", "langfuse", "logfire"),
    probe=partial(probe_stainless, "anthropic", "Anthropic", method="messages.create", max_tokens=1),
    answers={"*": (MESSAGES,), "anthropic": (RESULTS,)},
)
