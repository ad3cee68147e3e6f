"""Fireworks' SDK (fireworks-ai) since version 1: chat and completions in OpenAI's shape, messages in Anthropic's; the streams state usage unasked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.anthropic import MESSAGES
from tokentrail.integrations.openai_endpoints import CHAT, COMPLETIONS
from tokentrail.integrations.shapes.openai_models import read_chat_model
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION"]

PATHS: Final = {"chat/completions": replace(CHAT, read=read_chat_model), "completions": COMPLETIONS, "messages": MESSAGES}

INTEGRATION: Final = Integration(
    name="fireworks-ai",
    package="fireworks-ai",
    supports=">=1.2,<2",
    hooks=hooks_of("fireworks._base_client", "fireworks", Routes(PATHS, prefix="/v1")),
    clashes=("openlit",),
    probe=partial(probe_stainless, "fireworks", "Fireworks"),
)
