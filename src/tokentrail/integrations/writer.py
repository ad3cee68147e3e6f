"""Writer's SDK (writer-sdk): chat and completions; sync, async, streams. A chat's stream states its usage on request; completions state none."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.openai_endpoints import CHAT, COMPLETIONS
from tokentrail.integrations.shapes.openai_models import read_chat_model
from tokentrail.integrations.shapes.writer import WriterChatChunks, WriterChunks
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION"]

PATHS: Final = {
    "chat": replace(CHAT, read=read_chat_model, chunks=WriterChatChunks),
    "completions": replace(COMPLETIONS, chunks=WriterChunks, asks_for_usage=None),
}

INTEGRATION: Final = Integration(
    name="writer-sdk",
    package="writer-sdk",
    supports=">=1.0,<4",
    hooks=hooks_of("writerai._base_client", "writer", Routes(PATHS, prefix="/v1")),
    clashes=("opentelemetry-instrumentation-writer", "openlit"),
    probe=partial(probe_stainless, "writerai", "Writer", method="chat.chat"),
    answers={"writer": tuple(PATHS.values())},
)
