"""Whether an answer can only be text: only then a stream that the caller left before the first text has 0 output tokens.

An answer that may also be audio, an image, a tool call or hidden reasoning does not qualify: without any text, the output stays NULL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["KNOWN_EMPTY", "chat_is_text_only", "response_is_text_only"]

KNOWN_EMPTY = ("",)
"""The texts of an answer that can only be text, and is still empty. In contrast, `()`: the answer may be something else."""

_REASONING_MODELS = re.compile(r"(?:^|/)(?:o[1-9]|gpt-[5-9]|gpt-oss|gemini-(?:2\.5|[3-9])|deepseek-reasoner|grok-[3-9])")
"""Models with hidden, billed reasoning before the first text: an answer of these models without text may still have output tokens."""


def chat_is_text_only(body: Mapping[str, Any]) -> bool:
    """Whether the answer to a chat request can only be visible text (and tool calls, which are visible too)."""
    modalities = body.get("modalities") or ("text",)
    return list(modalities) == ["text"] and not body.get("audio") and not _has_hidden_reasoning(body.get("model"), body.get("reasoning_effort"))


def _has_hidden_reasoning(model: Any, effort: Any) -> bool:
    """Whether a model may spend hidden tokens before the first text."""
    return (effort is not None and effort != "none") or (isinstance(model, str) and _REASONING_MODELS.search(model) is not None)


def response_is_text_only(body: Mapping[str, Any]) -> bool:
    """Whether the answer to a request can only be visible text: no tools, stored prompt, other modalities, hidden reasoning."""
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else reasoning
    others = body.get("tools") or body.get("prompt") or body.get("audio") or (body.get("modalities") or ["text"]) != ["text"]
    return not others and isinstance(body.get("model"), str) and not _has_hidden_reasoning(body["model"], effort)
