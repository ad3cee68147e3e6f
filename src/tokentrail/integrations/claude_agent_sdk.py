"""Anthropic's agent SDK (claude-agent-sdk): `query()` and `ClaudeSDKClient`, by what the command line's results state of each model.

Not known: the single provider calls, and what a process has spent whose result the program does not read.
"""

from __future__ import annotations

from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.transports.claude_agent import hooks_of

__all__ = ["INTEGRATION"]

INTEGRATION: Final = Integration(
    name="claude-agent-sdk",
    package="claude-agent-sdk",
    supports=">=0.1,<1",
    hooks=hooks_of("claude_agent_sdk"),
    clashes=("openinference-instrumentation-claude-agent-sdk", "langfuse", "logfire", "openlit"),
)
