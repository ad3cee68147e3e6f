"""Cerebras' SDK (cerebras-cloud-sdk): chat and completions, in OpenAI's shape; the last chunk of a stream states the usage, unasked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.openai_endpoints import CHAT, COMPLETIONS
from tokentrail.integrations.shapes.openai_models import read_chat_model
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION"]

INTEGRATION: Final = Integration(
    name="cerebras-cloud-sdk",
    package="cerebras-cloud-sdk",
    supports=">=1.0,<2",
    hooks=hooks_of(
        "cerebras.cloud.sdk._base_client",
        "cerebras",
        Routes({"chat/completions": replace(CHAT, read=read_chat_model), "completions": COMPLETIONS}, prefix="/v1"),
    ),
    clashes=("openlit",),
    probe=partial(probe_stainless, "cerebras.cloud.sdk", "Cerebras"),
)
