"""Anthropic's SDK: messages and beta messages (create, parse, stream), sync and async; the clients for Vertex and Foundry call the same method."""

from __future__ import annotations

from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.anthropic_messages import MessageEvents, read_message, texts_of_messages
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

INTEGRATION: Final = Integration(
    name="anthropic",
    package="anthropic",
    supports=">=0.40,<3",
    hooks=hooks_of("anthropic._base_client", "anthropic", Routes({"messages": MESSAGES}, prefix="/v1", queries=("beta=true",))),
    clashes=("opentelemetry-instrumentation-anthropic", "openinference-instrumentation-anthropic", "openlit", "langfuse", "logfire"),
    probe=partial(probe_stainless, "anthropic", "Anthropic", method="messages.create", max_tokens=1),
    answers={"*": (MESSAGES,)},
)
