"""Whether an answer is known to be text: only then is no text before a stream was left an output of 0.

An answer that may be audio, an image, a tool call or unseen thinking is not known to be text: without a word of it, its output stays NULL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["KNOWN_EMPTY", "chat_in_text", "response_in_text"]

KNOWN_EMPTY = ("",)
"""The texts of an answer that is known to be text, and of no length yet. No texts at all (`()`): what came is not known to be text."""

_THINKS_UNSEEN = re.compile(r"(?:^|/)(?:o[1-9]|gpt-[5-9]|gpt-oss|gemini-(?:2\.5|[3-9])|deepseek-reasoner|grok-[3-9])")
"""Models that may think for long, unseen and billed, before their first word: of these, no word is not nothing."""


def chat_in_text(body: Mapping[str, Any]) -> bool:
    """Whether a chat request can only be answered with text that is seen as it is made (and with tool calls, which are seen too)."""
    modalities = body.get("modalities") or ("text",)
    return list(modalities) == ["text"] and not body.get("audio") and not _thinks_unseen(body.get("model"), body.get("reasoning_effort"))


def _thinks_unseen(model: Any, effort: Any) -> bool:
    """Whether a model may spend tokens that are not shown before its first word."""
    return (effort is not None and effort != "none") or (isinstance(model, str) and _THINKS_UNSEEN.search(model) is not None)


def response_in_text(body: Mapping[str, Any]) -> bool:
    """Whether a request can only be answered with text that is seen as it is made: no tools, stored prompt, other modalities, unseen thinking."""
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else reasoning
    others = body.get("tools") or body.get("prompt") or body.get("audio") or (body.get("modalities") or ["text"]) != ["text"]
    return not others and isinstance(body.get("model"), str) and not _thinks_unseen(body["model"], effort)
