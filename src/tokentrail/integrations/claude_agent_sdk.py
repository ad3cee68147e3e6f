"""Anthropic's agent SDK (claude-agent-sdk): `query()` and `ClaudeSDKClient`, by what the command line's results state of each model.

Not known: the single provider calls, and what a process has spent whose result the program does not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.claude_agent import ModelMessages, no_texts, read_message_of_model
from tokentrail.integrations.transports.claude_agent import hooks_of

__all__ = ["INTEGRATION"]


def _of_model(model: str, _request: Mapping[str, Any]) -> Endpoint:
    """Returns the endpoint for one model's part of a result."""
    return replace(AGENT, read=partial(read_message_of_model, model), chunks=partial(ModelMessages, model), chosen=None)


AGENT: Final = Endpoint(
    name="agent",
    gen_ai_operation="invoke_agent",
    operation="chat",
    texts=no_texts,
    read=partial(read_message_of_model, ""),
    chosen=_of_model,
    deferred=True,
)

INTEGRATION: Final = Integration(
    name="claude-agent-sdk",
    package="claude-agent-sdk",
    supports=">=0.1,<1",
    hooks=hooks_of("claude_agent_sdk"),
    answers={"anthropic": (AGENT,)},
    clashes=("openinference-instrumentation-claude-agent-sdk", "langfuse", "logfire", "openlit"),
)
